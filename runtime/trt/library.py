"""TensorRT where it is installed, its lean runtime elsewhere. Needs one of them to import.

The lean runtime (tensorrt-lean on PyPI) is 40 MB instead of 2 GB. It builds nothing and takes
version-compatible engines alone. Both segfault where there is no GPU: count devices first.
"""

from __future__ import annotations

__all__ = ["LEAN", "trt"]

try:
    import tensorrt as trt
except (ImportError, OSError) as _error:
    try:
        import tensorrt_lean as trt
    except (ImportError, OSError):
        raise _error from None  # the full one is what most people mean to install
    LEAN = True
else:
    LEAN = False
