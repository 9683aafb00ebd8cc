"""Puts the page that dehazes in the browser together: `make web` writes it to build/web.

The page's own files come from page/ and from the live preview, ONNX Runtime from npm, and
the estimator out of the shipped model.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dehaze.runtime.errors import DehazeError, ModelError
from dehaze.runtime.haze.grid import (
    FINEST_STRIDE,
    MAXIMUM_THUMBNAIL_PIXELS,
    PIXELS_PER_CELL,
    THUMBNAIL_MULTIPLE,
)
from dehaze.runtime.model.shipped import DEFAULT_MODEL, contract_of, model_bytes, model_path
from dehaze.runtime.model.subgraph import GRID, estimator_from_model
from dehaze.runtime.onnxruntime_session import import_onnxruntime
from dehaze.runtime.preview.server import PREVIEW_FOLDER

HERE = Path(__file__).parent
PAGE = HERE / "page"
OF_THE_PREVIEW = ("slider.js", "slider.css", "preview.css", "icon.svg")
OF_ONNX_RUNTIME = (
    "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm",
    "ort.jspi.bundle.min.mjs", "ort-wasm-simd-threaded.jspi.wasm",
)  # fmt: skip
EXAMPLE_SIZE = (720, 1280)
EXAMPLE_SECONDS = 2.4
"""The moment of the demo clip that the README shows, too."""
EXAMPLE_BETA = 0.027
"""The fog of the demo clip, 1/m."""


def build_page(folder: Path, packages: Path, example: NDArray[np.uint8], model: str) -> None:
    """Writes the whole page into a folder.

    Args:
        folder: where to; made if need be, files of the same names are replaced.
        packages: npm's `node_modules` with onnxruntime-web.
        example: (H, W, 3) uint8 RGB, the picture that the page begins with.
        model: a shipped name or the path of an ONNX file.

    Raises:
        ModelError: the model gives no grid that the page can apply.
        FileNotFoundError: onnxruntime-web is not installed.
    """
    shutil.copytree(PAGE, folder, dirs_exist_ok=True)
    for name in ("ort", "model"):
        (folder / name).mkdir(exist_ok=True)
    for name in OF_THE_PREVIEW:
        shutil.copy(PREVIEW_FOLDER / name, folder)
    for name in OF_ONNX_RUNTIME:
        shutil.copy(packages / "onnxruntime-web" / "dist" / name, folder / "ort")
    path = model_path(model)
    estimator, description = estimator_of(path)
    (folder / "model" / "estimator.onnx").write_bytes(estimator)
    (folder / "model" / "model.json").write_text(json.dumps(description, indent=2) + "\n")
    quality = [cv2.IMWRITE_JPEG_QUALITY, 92]
    cv2.imwrite(str(folder / "example.jpg"), cv2.cvtColor(example, cv2.COLOR_RGB2BGR), quality)


def estimator_of(model: Path) -> tuple[bytes, dict[str, str | int]]:
    """The part of a model from thumbnail to grid, and what the page must know about it.

    Raises:
        ModelError: the model gives no grid that the page can apply.
    """
    contract = contract_of(model)
    if not contract.has_grid:
        raise ModelError(f"{model}: expected a model that gives a grid, as edge does")
    content = model_bytes(model)
    estimator = estimator_from_model(content, str(model))
    session = import_onnxruntime().InferenceSession(estimator)
    channels = next(output.shape[-1] for output in session.get_outputs() if output.name == GRID)
    if channels not in (4, 6):
        raise ModelError(
            f"{model}: expected a grid of 4 channels (a gain, three biases) or 6 (three gains, "
            f"three biases), got {channels}; teach demo/web/page/pixels.js what they mean"
        )
    return estimator, {
        "name": contract.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "minimumSize": contract.minimum_size,
        "pixelsPerCell": PIXELS_PER_CELL,
        "thumbnailMultiple": THUMBNAIL_MULTIPLE,
        "finestStride": FINEST_STRIDE,
        "maximumThumbnailPixels": MAXIMUM_THUMBNAIL_PIXELS,
    }


def rendered_example() -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: a frame of the demo clip, rendered twice as large; some seconds."""
    sys.path.insert(0, str(HERE.parent))
    from make_clip import SUPERSAMPLING, bytes_from_supersampled, camera_at, fogged
    from renderer import Renderer
    from street import street
    from vehicles import parked_cars, traffic

    seed = 6  # the clip's own
    height, width = EXAMPLE_SIZE
    camera = camera_at(EXAMPLE_SECONDS, (height * SUPERSAMPLING, width * SUPERSAMPLING))
    renderer = Renderer(street(seed) + parked_cars(seed))
    clear, depth = renderer.frame(camera, traffic(EXAMPLE_SECONDS))
    hazy = fogged(clear, np.exp(-np.float32(EXAMPLE_BETA) * depth))
    return bytes_from_supersampled(hazy, EXAMPLE_SIZE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to write the page")
    parser.add_argument(
        "--packages", type=Path, required=True, help="npm's node_modules with onnxruntime-web"
    )
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a shipped name or an ONNX file")
    options = parser.parse_args()
    try:
        build_page(options.folder, options.packages, rendered_example(), options.model)
    except DehazeError as error:
        print(f"build_page: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{options.folder}: serve it with `python3 -m http.server --directory {options.folder}`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
