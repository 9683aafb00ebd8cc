"""Frames of one shape through TensorRT: buffers, two streams, and a CUDA graph for each slot.

    copies   | upload 0 | upload 1 | download 0 | upload 2 | download 1 | ...
    compute             | frame 0             | frame 1               | ...

There are two slots of buffers, which frames take in turns. The copy of a frame to the device is
queued before the copy of the frame before it back, so both happen while the device computes.
On an integrated GPU there are no copies: it reads and writes the host's memory itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..cuda.api import Cuda, Event, Graph, HostMemory, Stream
from ..errors import ModelError
from ..session import DeviceTimes, Frames
from .library import trt
from .loaded_engine import Tensor
from .log import LOG

__all__ = ["DEPTH", "Pipeline"]

DEPTH = 2
"""Frames in flight: one is computed while its neighbours are copied."""


@dataclass(frozen=True)
class Buffer:
    """A tensor's memory in one slot."""

    host: HostMemory
    values: NDArray[np.generic]
    """The host's bytes with the tensor's type and shape."""
    device_address: int


@dataclass
class Slot:
    """Buffers and events of one frame in flight."""

    inputs: dict[str, Buffer]
    outputs: dict[str, Buffer]
    marks: dict[str, tuple[Event, Event]]
    """Start and end of `upload`, `compute` and `download`."""
    graph: Graph = None
    wanted: list[str] = field(default_factory=list)
    """Outputs that will be read."""
    is_downloading: bool = False


class Pipeline:
    """Queues batches of one shape and hands their results out in order.

    Use it with CUDA's context current. `close` it before the execution context takes another shape.

    Args:
        shape: (N, H, W, 3).
        graphs: whether to capture CUDA graphs. Where TensorRT cannot be captured, `notice` is told
            and frames are enqueued one by one.
    """

    def __init__(
        self,
        context: trt.IExecutionContext,
        cuda: Cuda,
        tensors: Sequence[Tensor],
        shape: tuple[int, ...],
        *,
        graphs: bool,
        notice: Callable[[str], None],
    ) -> None:
        self.shape = shape
        self._context, self._cuda, self._notice = context, cuda, notice
        self._graphs = graphs and cuda.has_graphs
        self._shape_is_known = False
        self._submitted = 0
        self._pending: deque[Slot] = deque()
        with ExitStack() as owner:
            sizes = _set_shape(context, tensors, shape)
            self._copies: Stream = cuda.stream(owner)
            self._compute: Stream = cuda.stream(owner)
            self._slots = [_new_slot(cuda, tensors, sizes, owner) for _ in range(DEPTH)]
            self._owner = owner.pop_all()

    @property
    def pending(self) -> int:
        """Batches that were submitted and not collected."""
        return len(self._pending)

    def submit(self, frames: Frames, strength: float, wanted: Sequence[str]) -> None:
        """Queues a batch; at most DEPTH may be pending with it.

        Args:
            wanted: the outputs to copy back.
        """
        if self.pending >= DEPTH:
            raise AssertionError("collect a batch before submitting another one")
        slot = self._slots[self._submitted % DEPTH]
        np.copyto(slot.inputs["image"].values, frames)
        if "strength" in slot.inputs:
            slot.inputs["strength"].values[...] = np.float32(strength)
        slot.wanted, slot.is_downloading = list(wanted), False
        self._upload(slot)
        self._execute(slot)
        for earlier in self._pending:
            self._download(earlier)
        self._pending.append(slot)
        self._submitted += 1

    def collect(self) -> tuple[dict[str, NDArray[np.generic]], DeviceTimes]:
        """Waits for the oldest batch; its wanted outputs, copied out of the buffers."""
        slot = self._pending.popleft()
        self._download(slot)
        last = "compute" if self._cuda.integrated else "download"
        self._cuda.synchronize(slot.marks[last][1])
        results = {name: slot.outputs[name].values.copy() for name in slot.wanted}
        return results, DeviceTimes(*(self._elapsed(slot, what) for what in slot.marks))

    def _elapsed(self, slot: Slot, what: str) -> float:
        if self._cuda.integrated and what != "compute":
            return 0.0
        return self._cuda.elapsed_ms(*slot.marks[what])

    def _upload(self, slot: Slot) -> None:
        if self._cuda.integrated:
            return
        start, end = slot.marks["upload"]
        self._cuda.record(start, self._copies)
        for buffer in slot.inputs.values():
            self._cuda.upload(buffer.device_address, buffer.host, self._copies)
        self._cuda.record(end, self._copies)
        self._cuda.wait(self._compute, end)

    def _execute(self, slot: Slot) -> None:
        graph = self._graph_of(slot)
        start, end = slot.marks["compute"]
        self._cuda.record(start, self._compute)
        if graph is not None:
            self._cuda.launch(graph, self._compute)
        else:
            self._enqueue(slot)
        self._cuda.record(end, self._compute)

    def _download(self, slot: Slot) -> None:
        if slot.is_downloading or self._cuda.integrated:
            return
        slot.is_downloading = True
        start, end = slot.marks["download"]
        self._cuda.wait(self._copies, slot.marks["compute"][1])
        self._cuda.record(start, self._copies)
        for name in slot.wanted:
            buffer = slot.outputs[name]
            self._cuda.download(buffer.host, buffer.device_address, self._copies)
        self._cuda.record(end, self._copies)

    def _graph_of(self, slot: Slot) -> Graph:
        """The slot's graph; None while frames are enqueued, as the first of a shape must be."""
        if not self._graphs or not self._shape_is_known:
            return None
        if slot.graph is None:
            try:
                slot.graph = self._cuda.capture(
                    self._compute, lambda: self._enqueue(slot), self._owner
                )
            except ModelError as error:
                self._graphs = False
                self._notice(f"without CUDA graphs, which costs some speed ({error})")
        return slot.graph

    def _enqueue(self, slot: Slot) -> None:
        context: trt.IExecutionContext = self._context
        LOG.errors.clear()
        for name, buffer in (slot.inputs | slot.outputs).items():
            if not context.set_tensor_address(name, buffer.device_address):
                raise ModelError(f"TensorRT takes no address for {name} ({LOG.reason()})")
        if not context.execute_async_v3(self._cuda.stream_handle(self._compute)):
            raise ModelError(f"TensorRT failed on frames of {self.shape} ({LOG.reason()})")
        self._shape_is_known = True

    def close(self) -> None:
        """Waits for what is in flight and frees everything."""
        try:
            for slot in self._pending:
                last = "download" if slot.is_downloading else "compute"
                self._cuda.synchronize(slot.marks[last][1])
        finally:
            self._pending.clear()
            self._slots.clear()
            self._owner.close()


def _set_shape(
    context: trt.IExecutionContext, tensors: Sequence[Tensor], shape: tuple[int, ...]
) -> dict[str, tuple[int, ...]]:
    """Tells TensorRT the frames' shape; the shape of every tensor."""
    LOG.errors.clear()
    if not context.set_input_shape("image", shape) or context.infer_shapes():
        raise ModelError(f"TensorRT takes no frames of {shape} ({LOG.reason()})")
    sizes = {tensor.name: tuple(context.get_tensor_shape(tensor.name)) for tensor in tensors}
    for name, size in sizes.items():
        if any(side < 0 for side in size):
            raise ModelError(f"TensorRT does not know the shape of {name}, got {size}")
    return sizes


def _new_slot(
    cuda: Cuda, tensors: Sequence[Tensor], sizes: dict[str, tuple[int, ...]], owner: ExitStack
) -> Slot:
    slot = Slot(
        inputs={},
        outputs={},
        marks={
            what: (cuda.event(owner), cuda.event(owner))
            for what in ("upload", "compute", "download")
        },
    )
    for tensor in tensors:
        dtype, shape = np.dtype(tensor.dtype), sizes[tensor.name]
        count = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        host = cuda.host_memory(count, owner)
        address = host.device_address if cuda.integrated else cuda.device_memory(count, owner)
        buffer = Buffer(host, host.content.view(dtype).reshape(shape), address)
        (slot.inputs if tensor.is_input else slot.outputs)[tensor.name] = buffer
    return slot
