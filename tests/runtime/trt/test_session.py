"""The TensorRT backend moves frames through buffers, streams and graphs.

TensorRT and the GPU are fakes: see `fake_tensorrt/` and `../cuda/fake_cuda/`. The bindings'
adapters are ours and real. Nothing here says how a real GPU does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tensorrt_inputs import pictures

from dehaze.runtime import ModelError, UsageError
from dehaze.runtime.dehazer import Dehazer

WAYS = {
    "cuda-python": {"cuda_binding": "cuda-python"},
    "without graphs": {"cuda_binding": "cuda-python", "cuda_graphs": False},
    "pycuda": {"cuda_binding": "pycuda"},
}


@pytest.mark.parametrize("is_jetson", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_every_frame_comes_back_once_and_in_order(
    open_session: Any, fake_gpu: ModuleType, way: str, is_jetson: bool
) -> None:
    """The fake GPU is as late as it may be: a buffer filled too early would show another frame."""
    fake_gpu.integrated = is_jetson
    session = open_session(**WAYS[way])
    hazy = pictures(7)
    clear = list(session.run_many(iter(hazy), 1.0))
    assert np.array_equal(np.stack(clear), 255 - hazy)
    assert np.array_equal(session.run(hazy[3], 1.0), 255 - hazy[3])
    copies = [operation for operation in fake_gpu.log if operation.what != "compute"]
    assert bool(copies) is not is_jetson


def test_a_result_is_the_callers_own(open_session: Any) -> None:
    session = open_session()
    hazy = pictures(6)
    first = session.run(hazy[0], 1.0)
    list(session.run_many(hazy, 1.0))
    assert np.array_equal(first, 255 - hazy[0])


def test_the_source_may_reuse_its_frame(open_session: Any) -> None:
    frame = np.empty((1, 72, 128, 3), np.uint8)

    def camera() -> Iterator[NDArray[np.uint8]]:
        for value in range(5):
            frame[...] = value
            yield frame

    clear = open_session().run_many(camera(), 1.0)
    assert [int(picture.max()) for picture in clear] == [255, 254, 253, 252, 251]


def test_copies_happen_while_the_frame_before_is_computed(
    open_session: Any, fake_gpu: ModuleType
) -> None:
    session = open_session()
    list(session.run_many(pictures(6), 1.0))
    computed = [operation for operation in fake_gpu.log if operation.what == "compute"]
    for before, after in pairwise(computed):
        assert after.start_ms == before.end_ms  # the GPU never waits for a copy
    for what in ("upload", "download"):
        copied = [operation for operation in fake_gpu.log if operation.what == what]
        streams = {operation.stream.handle for operation in copied}
        assert streams.isdisjoint({operation.stream.handle for operation in computed})
    # Each frame has two uploads of 1 ms, picture and strength, 3 ms of computing, one download.
    assert fake_gpu.now_ms == 2 + 6 * 3 + 1


def test_at_most_two_frames_are_taken_ahead(open_session: Any) -> None:
    taken = []

    def source() -> Iterator[NDArray[np.uint8]]:
        for index, frame in enumerate(pictures(5)):
            taken.append(index)
            yield frame

    results = open_session().run_many(source(), 1.0)
    ahead = [len(taken) - done for done, _ in enumerate(results)]
    assert max(ahead) == 2


def test_a_new_shape_gets_its_own_buffers_and_graphs(
    open_session: Any, fake_gpu: ModuleType
) -> None:
    session = open_session()
    small, large = pictures(4, 64, 64), pictures(4, 120, 160)
    hazy = [*small, *large, *small]
    captures, results = [], []
    for clear in session.run_many(hazy, 1.0):
        results.append(clear)
        captures.append(fake_gpu.captures)
    for picture, clear in zip(hazy, results, strict=True):
        assert np.array_equal(clear, 255 - picture)
    # The first frame of a shape runs plainly; then each of the two slots captures once.
    assert captures[-1] == 3 * 2
    assert session.run(small[0], 1.0).shape == small[0].shape


def test_strength_may_change_while_graphs_stay(open_session: Any, fake_gpu: ModuleType) -> None:
    session = open_session()
    hazy = pictures(1)[0]
    for _ in range(3):
        session.run(hazy, 1.0)
    captures = fake_gpu.captures
    half = session.run(hazy, 0.5)
    assert np.abs(half.astype(int) - 127.5).max() <= 0.5
    assert fake_gpu.captures == captures


def test_the_device_times_are_those_of_the_frame_handed_out(
    open_session: Any, fake_gpu: ModuleType
) -> None:
    session = open_session()
    assert session.device_times is None
    for _ in session.run_many(pictures(3), 1.0):
        times = session.device_times
        assert (times.upload_ms, times.compute_ms, times.download_ms) == (2.0, 3.0, 1.0)
    fake_gpu.integrated = True
    jetson = open_session()
    jetson.run(pictures(1)[0], 1.0)
    times = jetson.device_times
    assert (times.upload_ms, times.compute_ms, times.download_ms) == (0.0, 3.0, 0.0)


def test_a_batch_that_is_too_large_goes_in_parts(open_session: Any) -> None:
    batch = pictures(5)[:, 0]
    session = open_session()
    assert session.shapes.maximum[0] == 2
    assert np.array_equal(session.run(batch, 1.0), 255 - batch)
    assert session.estimate(batch).values.shape == (5, 9, 16, 4)


def test_a_dehazer_takes_it_as_any_other(open_session: Any) -> None:
    hazy = pictures(1)[0, 0]
    with Dehazer(open_session(), strength=0.5) as dehazer:
        assert dehazer.contract.name == "edge"
        assert np.abs(dehazer(hazy).astype(int) - 127.5).max() <= 0.5
        assert np.array_equal(dehazer.estimate(hazy).values[0, 0, 0], np.float32([-1, 1, 1, 1]))


@pytest.mark.parametrize("binding", ["cuda-python", "pycuda"])
def test_closing_gives_everything_back(
    open_session: Any, fake_gpu: ModuleType, binding: str
) -> None:
    session = open_session(cuda_binding=binding)
    list(session.run_many([*pictures(3), *pictures(3, 80, 80)], 1.0))
    assert fake_gpu.memory
    assert fake_gpu.objects
    session.close()
    session.close()
    assert fake_gpu.memory == {}
    assert fake_gpu.objects == {}
    with pytest.raises(ModelError, match="closed"):
        session.run(pictures(1)[0], 1.0)


def test_a_run_that_is_left_early_leaves_nothing_in_flight(open_session: Any) -> None:
    session = open_session()
    hazy = pictures(4)
    results = session.run_many(hazy, 1.0)
    next(results)
    with pytest.raises(UsageError, match="not finished"):
        session.run(hazy[2], 1.0)
    results.close()
    assert np.array_equal(session.run(hazy[2], 1.0), 255 - hazy[2])


def test_without_memory_the_drivers_words_are_told_and_nothing_leaks(
    open_session: Any, fake_gpu: ModuleType
) -> None:
    session = open_session()
    fake_gpu.fail["cuMemAlloc"] = 2
    with pytest.raises(ModelError, match="CUDA's cuMemAlloc says 2, out of memory"):
        session.run(pictures(1)[0], 1.0)
    assert fake_gpu.memory == {}
    assert fake_gpu.objects == {}
    pycuda = open_session(cuda_binding="pycuda")
    fake_gpu.fail["mem_alloc"] = 1
    with pytest.raises(ModelError, match="CUDA says: mem_alloc failed: out of memory"):
        pycuda.run(pictures(1)[0], 1.0)


def test_a_model_that_cannot_be_captured_runs_without_graphs_and_says_so(
    open_session: Any, fake_gpu: ModuleType
) -> None:
    session = open_session()
    fake_gpu.fail["cuGraphInstantiate"] = 801
    hazy = pictures(4)
    assert np.array_equal(np.stack(list(session.run_many(hazy, 1.0))), 255 - hazy)
    told = [line for line in open_session.notices if "without CUDA graphs" in line]
    assert len(told) == 1
    assert "says 801, operation not supported" in told[0]


def test_a_frame_that_fails_while_it_is_captured_does_not_end_the_session(
    open_session: Any, fake_tensorrt: ModuleType
) -> None:
    session = open_session()
    hazy = pictures(3)
    session.run(hazy[0], 1.0)
    fake_tensorrt.run_errors.append("out of workspace")
    with pytest.raises(ModelError, match="out of workspace"):
        session.run(hazy[1], 1.0)
    fake_tensorrt.run_errors.clear()
    assert np.array_equal(session.run(hazy[2], 1.0), 255 - hazy[2])
