"""Prints, as JSON, the names of the fake TensorRT that the real bindings lack.

LD_LIBRARY_PATH=STUBS PYTHONPATH=BINDINGS python check_fake.py FAKE.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from runpy import run_path

import tensorrt_bindings

sys.path.insert(0, str(Path(sys.argv[1]).parent))
fake = run_path(sys.argv[1], run_name="fake")
names = [
    (class_name, name)
    for class_name, value in fake.items()
    if isinstance(value, type) and value.__module__.startswith("fake")
    for name in vars(value)
    if not name.startswith("_")
]
lacking = [
    f"{class_name}.{name}"
    for class_name, name in names
    if not hasattr(getattr(tensorrt_bindings, class_name, None), name)
]
print(json.dumps({"checked": len(names), "lacking": lacking}))
