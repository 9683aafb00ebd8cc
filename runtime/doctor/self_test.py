"""Writes what the shipped model makes of the self-test's picture, after new weights.

python -m dehaze.runtime.doctor.self_test > runtime/weights/self-test.json
"""

from __future__ import annotations

import json
import sys

import numpy as np

from ..backends import open_session
from ..model.shipped import DEFAULT_MODEL, MODELS_FOLDER
from ..providers.self_test import cell_means, hazy_picture

__all__ = ["main"]


def main() -> None:
    """Runs the model in ONNX Runtime on the CPU and prints JSON."""
    path = MODELS_FOLDER / f"{DEFAULT_MODEL}.onnx"
    session = open_session(path, "onnxruntime").session
    means = np.round(cell_means(session.run(hazy_picture(), 1.0)), 1).tolist()
    written = {"source_sha256": session.contract.source_sha256, "cell_means": means}
    json.dump(written, sys.stdout)
    print()


if __name__ == "__main__":
    main()
