"""The records of a measurement: figures, models, machine, data, protocol. `file` stores them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar

__all__ = [
    "Data",
    "DetectionRow",
    "FlickerRow",
    "FormatRow",
    "Kind",
    "LatencyRow",
    "Machine",
    "Model",
    "QualityRow",
    "Result",
    "Row",
    "Scalar",
    "VideoRow",
]

Kind: TypeAlias = Literal["latency", "quality", "flicker", "detection", "formats", "video"]
Scalar: TypeAlias = float | str | None
"""A cell of a row per picture."""


@dataclass(frozen=True)
class Machine:
    """The machine that measured. Figures of two machines are not to be compared."""

    processor: str
    cores: int
    usable_cores: int
    """The cores that this process may run on."""
    instructions: str
    """The sets that ONNX Runtime's kernels use, of those that the processor has."""
    memory_mib: int
    system: str
    python: str
    versions: dict[str, str]
    """The versions of the libraries that take part, by name."""
    gpu: str = ""
    """Empty where there is none."""
    driver: str = ""
    power_mode: str = ""
    """A Jetson's, as nvpmodel says it; empty elsewhere."""
    clocks: str = ""
    """A Jetson's, as jetson_clocks shows them."""


@dataclass(frozen=True)
class Model:
    """A model file and what ran it."""

    name: str
    """The name as the user typed it; rows refer to the model by it."""
    path: str
    sha256: str
    precision: str
    parameters: int
    bytes: int
    backend: str
    """`onnxruntime` or `tensorrt`."""
    why: str
    """The reason for this backend, in one line."""
    weights: str = ""
    """`trained` or `random`; empty where there are none or nothing is known of them."""


@dataclass(frozen=True)
class Data:
    """The data that were measured on."""

    path: str
    layout: str
    """The files that belong together: `hazy/1400_1.* with clear/1400.*`."""
    number: int
    """Number of pictures or videos, hazy and clear."""
    sha256: str
    """Over the names and contents of all files, in the order of the names."""


@dataclass(frozen=True)
class LatencyRow:
    """The latency of a model in one backend, at one size, with one number of threads."""

    model: str
    backend: str
    width: int
    height: int
    threads: int
    milliseconds: list[float]
    """The times of the rounds; all rows of one size and number of threads share their rounds."""
    p50_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    fps: float
    """1000 / mean_ms."""
    ratio_to_first: float
    """Ratio of the medians to the first row of this size and number of threads."""
    ratio_interval: list[float]
    """[low, high], 95 %."""
    copy_ms: float | None = None
    """Median time of the copy to the device; None where there is none to copy to."""
    compute_ms: float | None = None
    copy_back_ms: float | None = None
    peak_memory_mib: float | None = None
    """Peak memory of a process of its own that opens the model and runs three frames."""
    memory_before_mib: float | None = None
    """The part of it that Python and the libraries take before the model is opened."""
    power_w: float | None = None
    energy_per_frame_j: float | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)
    """Medians of the steps of a call, where they were asked for."""

    @property
    def setting(self) -> tuple[int, int, int]:
        """Rows can be compared where this is equal: width, height, threads."""
        return self.width, self.height, self.threads


@dataclass(frozen=True)
class QualityRow:
    """Scores of one model."""

    model: str
    means: dict[str, float | None]
    """Over the pictures, by column; `hazy_psnr_db` is that of the hazy pictures themselves."""
    pictures: list[dict[str, Scalar]]
    """`name`, `haze` (its level, in words), `psnr_db`, `ssim` and, where it can be measured,
    `lpips` with `hazy_lpips`; or, of photographs alone, `contrast`, `noise`, `cast`, `dark`,
    `crushed` (in %), `e`, `r`, `sigma`, and, where they can be measured, `piqe` and `brisque` with
    `hazy_piqe` and `hazy_brisque`. Null where a picture has no such figure."""
    intervals: dict[str, list[float | None]] = field(default_factory=dict)
    """[low, high] of some means, 95 %."""
    clear_pictures: list[dict[str, Scalar]] = field(default_factory=list)
    """The PSNR of each dehazed clear picture against itself: `name`, `psnr_db` and, of models that
    measure haze, `auto_psnr_db`; null where nothing changed."""


@dataclass(frozen=True)
class FlickerRow:
    """The flicker of one way to dehaze a video."""

    model: str
    way: str
    frames: int
    psnr_db: float | None
    """The PSNR; None where a frame equals its clear one."""
    error_deviation: float
    error_change: float


@dataclass(frozen=True)
class VideoRow:
    """The cost of dehazing a video, and that of decoding and encoding it alone."""

    model: str
    video: str
    """The file's name."""
    width: int
    height: int
    frames: int
    cpu_seconds: list[float]
    """User and system time of the process, round by round."""
    plain_cpu_seconds: list[float]
    """The same of plain transcoding in the same rounds."""
    fps: float
    """Frames by the median of the wall time, start included."""
    plain_fps: float
    cpu_ms_per_frame: float
    """The median."""
    plain_cpu_ms_per_frame: float
    cpu_ratio: float
    """Ratio of the medians, dehazed to plain."""
    cpu_ratio_interval: list[float]
    """[low, high], 95 %."""
    peak_memory_mib: float
    """The greatest of all rounds."""
    plain_peak_memory_mib: float
    stages_ms: dict[str, float] = field(default_factory=dict)
    """Medians of the wall time that each stage takes for a frame; the stages overlap."""


@dataclass(frozen=True)
class FormatRow:
    """A form of a network: its file, and its figures where it can run on this machine."""

    model: str
    """The form, `ONNX FP16`."""
    status: str
    """`run`, with a remark after a semicolon, or the reason why it was not exported or not run."""
    file: str
    """The file's name; empty where there is none."""
    bytes: int | None
    psnr_db: float | None = None
    """Mean PSNR over the pictures; None where it was not run, or where all pictures come out equal
    to the clear ones."""
    p50_ms: float | None = None
    """The median time of a frame, pixels to pixels."""
    backend: str = ""


@dataclass(frozen=True)
class DetectionRow:
    """What a detector finds in the pictures that one method made."""

    model: str
    """The method; `none` is the pictures as they are."""
    side: Literal["hazy", "clear"]
    """The pictures that were dehazed: hazy ones, or clear ones that have no haze to remove."""
    pictures: int
    objects: int
    """Objects of the classes that the detector knows."""
    means: dict[str, float | None]
    """`map` at IoU 0.5:0.95 and `map50`, from 0 to 1."""
    intervals: dict[str, list[float | None]]
    """[low, high] of the means, 95 %."""
    classes: dict[str, dict[str, float | None]]
    """The same two by class; null where the pictures show none of it."""
    draws: dict[str, list[float | None]]
    """The means in each draw of the bootstrap. All rows of a result, and all results of the same
    pictures, have the same draws: the interval of a difference is that of the draws' differences.
    """


Row = TypeVar("Row", LatencyRow, QualityRow, FlickerRow, DetectionRow, FormatRow, VideoRow)
AnyRow: TypeAlias = LatencyRow | QualityRow | FlickerRow | DetectionRow | FormatRow | VideoRow


@dataclass(frozen=True)
class Result:
    """A whole file."""

    kind: Kind
    created: str
    """ISO 8601, UTC."""
    command: str
    machine: Machine
    models: list[Model]
    data: Data | None
    """The data; None where none are needed, as for latency."""
    protocol: dict[str, str]
    """The rules of the measurement, in words."""
    results: Sequence[AnyRow]
    """The rows of the kind that `kind` names."""

    def rows(self, row_type: type[Row]) -> list[Row]:
        """The rows, where they are of this type."""
        return [row for row in self.results if isinstance(row, row_type)]
