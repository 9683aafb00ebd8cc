"""The plugin's kernel: its steps on the CPU against ONNX Runtime, itself on a GPU."""

from __future__ import annotations

import ctypes
import json
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from test_deform import Case, largest_difference, onnxruntime_deform_conv
from torch import Tensor

PLUGIN = Path(__file__).parents[3] / "export" / "plugin"
SOURCES = Path(__file__).parent
Pair = ctypes.c_int32 * 2


class Problem(ctypes.Structure):
    """`DeformConv2dProblem` of export/plugin/problem.h."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("is_half", "batch", "channels", "height", "width")),
        *((name, ctypes.c_int32) for name in ("filters", "out_height", "out_width")),
        *((name, Pair) for name in ("kernel", "stride", "padding", "dilation")),
        *((name, ctypes.c_int32) for name in ("groups", "offset_groups")),
    )


def problem_of(case: Case) -> Problem:
    x, offset, _, weight = case.tensors
    pairs = (weight.shape[2:], *case.numbers)
    return Problem(
        x.dtype == torch.float16,
        *x.shape,
        len(weight),
        *offset.shape[2:],
        *(Pair(*pair) for pair in pairs),
        case.groups,
        case.offset_groups,
    )


def build(command: str, output: Path) -> Path:
    """Builds with warnings as errors; `command` is a compiler with options and sources."""
    compiler, *options = command.split()
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    command_line = [compiler, "-std=c++17", f"-I{PLUGIN}", *options, "-o", str(output)]
    result = subprocess.run(command_line, cwd=SOURCES, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return output


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The steps of the kernel on the CPU."""
    output = tmp_path_factory.mktemp("host") / "host.so"
    command = "g++ -O2 -Wall -Wextra -Werror -shared -fPIC host.cpp"
    library = ctypes.CDLL(str(build(command, output)))
    library.run.argtypes = [ctypes.c_void_p] * 6 + [ctypes.c_int64, ctypes.c_int]
    library.widen.argtypes, library.widen.restype = [ctypes.c_uint16], ctypes.c_float
    library.narrow.argtypes, library.narrow.restype = [ctypes.c_float], ctypes.c_uint16
    return library


def unwritten(case: Case) -> Tensor:
    x, offset, _, weight = case.tensors
    return x.new_full((len(x), len(weight), *offset.shape[2:]), torch.nan)


def run(host: ctypes.CDLL, case: Case, blocks: int = 2, backwards: bool = False) -> Tensor:
    """(N, O, H', W') of the type of x, NaN where nothing was written."""
    output = unwritten(case)
    pointers = [tensor.data_ptr() for tensor in (*case.tensors, output)]
    problem = problem_of(case)
    assert host.run(ctypes.byref(problem), *pointers, blocks, backwards) == 0
    return output


def make_case(
    size: tuple[int, int, int, int] = (2, 4, 7, 9),
    filters: int = 4,
    kernel: tuple[int, int] = (3, 3),
    numbers: tuple[tuple[int, int], ...] = ((1, 1), (1, 1), (1, 1)),
    groups: tuple[int, int] = (1, 1),
    spread: float = 2.0,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> Case:
    """`groups` are of channels and of offsets; results are about 1."""
    generator = torch.Generator().manual_seed(seed)
    batch, channels, *image = size
    lines = zip(image, kernel, *numbers, strict=True)
    out = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in lines]
    places = groups[1] * kernel[0] * kernel[1]
    depth = channels // groups[0]
    shapes = (
        size,
        (batch, 2 * places, *out),
        (batch, places, *out),
        (filters, depth, *kernel),
    )
    x, offset, mask, weight = (torch.randn(shape, generator=generator) for shape in shapes)
    weight /= (depth * kernel[0] * kernel[1]) ** 0.5
    tensors = (x.to(dtype), offset * spread, mask, weight.to(dtype))
    return Case(tensors, numbers, *groups)


def random_case(seed: int, dtype: torch.dtype) -> Case:
    draw = random.Random(seed)

    def pair(low: int, high: int) -> tuple[int, int]:
        return draw.randint(low, high), draw.randint(low, high)

    groups = draw.choice([1, 2, 3]), draw.choice([1, 2, 4])
    channels = groups[0] * groups[1] * draw.randint(1, 8)
    size = (draw.randint(1, 2), channels, *pair(9, 14))
    filters = groups[0] * draw.randint(1, draw.choice([8, 70]))
    numbers = pair(1, 3), pair(0, 2), pair(1, 2)
    spread = draw.choice([0.0, 0.7, 3.0, 40.0])
    return make_case(size, filters, pair(1, 5), numbers, groups, spread, dtype, seed)


def exactly(case: Case) -> Case:
    """The same numbers in FP32, which is all that ONNX Runtime takes."""
    return case._replace(tensors=tuple(tensor.float() for tensor in case.tensors))


def worst(host: ctypes.CDLL, case: Case) -> float:
    return largest_difference(run(host, case), onnxruntime_deform_conv(exactly(case)))


@pytest.mark.parametrize("seed", range(24))
def test_the_steps_equal_onnxruntimes_operator(host: ctypes.CDLL, seed: int) -> None:
    assert worst(host, random_case(seed, torch.float32)) < 1e-5


# Rounding samples costs about 2^-12 of the result, rounding results of 4 and more up to 2^-9.
@pytest.mark.parametrize("seed", range(24, 36))
def test_the_steps_in_half_precision_differ_by_its_rounding(host: ctypes.CDLL, seed: int) -> None:
    assert worst(host, random_case(seed, torch.float16)) < 4e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize(
    "shape",
    [
        {"size": (1, 32, 20, 33), "filters": 32},
        {"size": (1, 64, 9, 12), "filters": 130},
        {"size": (1, 300, 5, 6), "filters": 65, "kernel": (1, 1)},
        {"size": (2, 12, 1, 40), "kernel": (1, 7), "numbers": ((1, 2), (0, 3), (1, 1))},
        {"size": (1, 6, 3, 3), "kernel": (1, 1), "numbers": ((1, 1), (0, 0), (1, 1))},
        {"size": (1, 40, 6, 6), "filters": 80, "groups": (2, 5)},
    ],
    ids=str,
)
def test_shapes_at_the_borders_of_tiles(
    host: ctypes.CDLL, shape: dict[str, tuple[int, ...]], dtype: torch.dtype
) -> None:
    assert worst(host, make_case(**shape, dtype=dtype)) < (1e-5 if dtype.itemsize == 4 else 4e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_neither_order_nor_number_nor_alignment_matters(
    host: ctypes.CDLL, dtype: torch.dtype
) -> None:
    case = make_case((1, 16, 8, 8), 40, dtype=dtype)
    result = run(host, case)
    assert torch.equal(run(host, case, blocks=1, backwards=True), result)
    assert torch.equal(run(host, case, blocks=1000), result)
    moved = [torch.cat((t.new_zeros(1), t.flatten()))[1:].view(t.shape) for t in case.tensors]
    assert moved[3].data_ptr() % 16 != 0
    assert torch.equal(run(host, case._replace(tensors=tuple(moved))), result)


@pytest.mark.parametrize("strange", [float("nan"), float("inf"), -float("inf"), 1e38, -1e10])
def test_strange_offsets_are_outside_and_so_is_what_they_would_read(
    host: ctypes.CDLL, strange: float
) -> None:
    case = make_case((1, 4, 6, 6))
    x, offset, mask, weight = case.tensors
    offset[:, :, 1:4, 2] = strange
    far = torch.where(offset == offset.nan_to_num(1e6, 1e6, -1e6), offset, 1e6)
    expected = onnxruntime_deform_conv(case._replace(tensors=(x, far, mask, weight)))
    assert largest_difference(run(host, case), expected) < 1e-5
    offset[:] = strange
    x[:] = torch.inf
    assert not run(host, case).any()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("stride", Pair(1, 0), b"expected the stride along x to be at least 1, got 0"),
        ("padding", Pair(-1, 1), b"expected the padding along y to be at least 0, got -1"),
        ("out_width", 10, b"expected the output along x to be 9, got 10"),
        ("kernel", Pair(10, 3), b"to be no smaller than the kernel, got 9"),
        ("dilation", Pair(2**30, 1), b"to be no smaller than the kernel, got 9"),
        ("padding", Pair(2**30, 1), b"to be at most 2^30, got 2147483655"),
        ("groups", 3, b"expected the input's channels to be a multiple of 3, got 4"),
        ("offset_groups", 0, b"expected groups and offset_groups to be at least 1, got 0"),
        ("filters", -4, b"expected the number of filters to be at least 1, got -4"),
    ],
)
def test_impossible_problems_are_refused(
    host: ctypes.CDLL, field: str, value: object, sentence: bytes
) -> None:
    case = make_case()
    problem = problem_of(case)
    setattr(problem, field, value)
    said = ctypes.create_string_buffer(200)
    host.complain(ctypes.byref(problem), said)
    assert said.value.endswith(sentence)
    assert host.run(ctypes.byref(problem), *[None] * 5, 1, 0) == -1


def test_unusable_pointers_are_refused(host: ctypes.CDLL) -> None:
    case = make_case(dtype=torch.float16)
    problem = problem_of(case)
    good = [tensor.data_ptr() for tensor in (*case.tensors, torch.empty(9999))]
    for index in range(5):
        for bad in (None, good[index] + 1):
            pointers = [*good[:index], bad, *good[index + 1 :]]
            assert host.run(ctypes.byref(problem), *pointers, 1, 0) == -1


def test_the_hosts_half_precision_is_that_of_numpy(host: ctypes.CDLL) -> None:
    bits = np.arange(2**16, dtype=np.uint16)
    wide = np.array([host.widen(int(b)) for b in bits], np.float32)
    assert np.array_equal(wide, bits.view(np.float16).astype(np.float32), equal_nan=True)
    finite = wide[np.isfinite(wide)]
    between = np.concatenate([finite * (1 + e) for e in (0, 2**-12, 2**-11, -(2**-12), 3e-4)])
    narrow = np.array([host.narrow(float(v)) for v in between.astype(np.float32)], np.uint16)
    with np.errstate(over="ignore"):
        assert np.array_equal(narrow, between.astype(np.float32).astype(np.float16).view(np.uint16))


def test_no_sanitizer_complains(tmp_path: Path) -> None:
    options = "-O1 -g -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=all"
    program = build(f"g++ {options} sanitized.cpp", tmp_path / "sanitized")
    result = subprocess.run([program], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


Launcher = Callable[[Case, Tensor], Callable[[], int]]


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Launcher:
    """Prepares the kernel for tensors on the GPU; calling the result is one launch."""
    if not torch.cuda.is_available():
        pytest.skip("torch sees no NVIDIA GPU")
    output = tmp_path_factory.mktemp("kernel") / "kernel.so"
    source = PLUGIN / "deform_conv2d.cu"
    command = f"nvcc -O3 -arch=native -Xcompiler -fPIC -shared {source}"
    library = ctypes.CDLL(str(build(command, output)))

    def prepare(case: Case, output: Tensor) -> Callable[[], int]:
        pointers = [ctypes.c_void_p(tensor.data_ptr()) for tensor in (*case.tensors, output)]
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)
        problem = problem_of(case)
        launch = library.haze_deform_conv2d_launch
        return lambda: launch(ctypes.byref(problem), *pointers, stream)

    return prepare


def on_gpu(case: Case) -> Case:
    return case._replace(tensors=tuple(tensor.cuda() for tensor in case.tensors))


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("seed", range(12))
def test_the_kernel_equals_its_steps_on_the_cpu(
    launcher: Launcher, host: ctypes.CDLL, seed: int, dtype: torch.dtype
) -> None:
    case = random_case(seed, dtype)
    inputs = on_gpu(case)
    output = unwritten(inputs)
    assert launcher(inputs, output)() == 0
    difference = largest_difference(output.cpu(), run(host, case))
    assert difference < (1e-5 if dtype == torch.float32 else 4e-3)


def milliseconds(work: Callable[[], object], runs: int = 50) -> float:
    """The median of single runs, after ten to warm up."""
    times = []
    for _ in range(runs + 10):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    return float(np.median(times[10:]))


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("size", [(1, 32, 90, 160), (1, 64, 180, 320)])
def test_the_kernel_is_torchvisions_and_twice_as_fast_in_half_precision(
    launcher: Launcher,
    size: tuple[int, int, int, int],
    dtype: torch.dtype,
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    """The figures go into the report of `make gpu-check`."""
    ops = pytest.importorskip("torchvision.ops")
    case = on_gpu(make_case(size, size[1], spread=1.0, dtype=dtype))
    x, offset, mask, weight = case.tensors
    output = unwritten(case)
    launch = launcher(case, output)
    assert launch() == 0
    exact = ops.deform_conv2d(x.float(), offset, weight.float(), None, *case.numbers, mask)
    assert largest_difference(output.cpu(), exact.cpu().numpy()) < (
        1e-4 if dtype == torch.float32 else 8e-3
    )
    offset, mask = offset.to(dtype), mask.to(dtype)  # torchvision takes one type only
    theirs = milliseconds(lambda: ops.deform_conv2d(x, offset, weight, None, *case.numbers, mask))
    ours = milliseconds(launch)
    # What must be read and written once, over what a plain copy of as much takes.
    needed = sum(tensor.nbytes for tensor in (*case.tensors, output))
    source = torch.empty(64 * 2**20, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    copied_per_ms = 2 * source.nbytes / milliseconds(lambda: target.copy_(source))
    figures = {
        "ours_ms": round(ours, 4),
        "torchvision_ms": round(theirs, 4),
        "ratio": round(theirs / ours, 2),
        "share_of_bandwidth": round(needed / ours / copied_per_ms, 3),
    }
    record_testsuite_property(f"{size} {dtype}", json.dumps(figures))
    if dtype == torch.float16:
        assert theirs > 2 * ours
