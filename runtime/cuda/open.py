"""Opens CUDA through whichever of the two bindings is installed."""

from __future__ import annotations

from ..errors import ModelError, one_line
from .api import Cuda, CudaBinding

__all__ = ["open_cuda"]


def open_cuda(binding: CudaBinding = "auto") -> Cuda:
    """CUDA through a binding that is installed.

    Raises:
        ModelError: it is not installed, or finds no GPU.
    """
    # Imported here: importing either must not be the price of `dehaze-run --help`.
    missing = []
    if binding in ("auto", "pycuda"):
        from .cuda_pycuda import PyCuda

        try:
            return PyCuda()
        except (ImportError, OSError) as error:
            missing.append(one_line(error)[:120])
    if binding in ("auto", "cuda-python"):
        from .cuda_python import CudaPython

        try:
            return CudaPython()
        except (ImportError, OSError) as error:
            missing.append(one_line(error)[:120])
    wanted = "pycuda or cuda-python" if binding == "auto" else binding
    raise ModelError(
        f"expected {wanted}, got none ({'; '.join(missing)}); `pip install cuda-python`, of the "
        f"major version of this machine's CUDA (12 on JetPack 6)"
    )
