"""Machine code as LLVM makes and loads it. Importing this imports llvmlite, numba's LLVM."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from .kinds import Kind

__all__ = ["host", "loaded", "object_of"]

_ENTRY = "dehaze_entry"
"""The name of the function in its machine code."""
_NUMBERS = {"int64": ctypes.c_int64, "float32": ctypes.c_float}

with suppress(RuntimeError):  # from 0.45 on it is not needed and raises
    llvm.initialize()
llvm.initialize_native_target()
llvm.initialize_native_asmprinter()


def host() -> str:
    """A description of what machine code depends on beside its source."""
    features = llvm.get_host_cpu_features().flatten()
    return " ".join(
        (llvmlite.__version__, llvm.get_process_triple(), llvm.get_host_cpu_name(), features)
    )


def object_of(assembly: str, name: str) -> bytes:
    """Compiles LLVM's assembly, of which `name` is the one function to be called.

    The code stands alone, for a process without numba: what numba adds for memory and errors is
    needed by no function that allocates and raises nothing, and is taken out.
    """
    module = llvm.parse_assembly(assembly)
    module.get_function(name).name = _ENTRY
    for function in module.functions:
        if not function.is_declaration and function.name != _ENTRY:
            function.linkage = "internal"
    machine = _target_machine()
    # The loops are optimised already.
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=1))
    passes.getModulePassManager().run(module, passes)
    needed = [f.name for f in module.functions if f.is_declaration]
    assert all(other.startswith("llvm.") for other in needed), needed
    code: bytes = machine.emit_object(module)
    return code


def loaded(code: bytes, kinds: tuple[Kind, ...]) -> Callable[..., None]:
    """The function in machine code that `object_of` made, outside of Python's lock."""
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(_ENTRY)
    engine.detach()  # the code stays as long as the process, in which a thread may be running it
    types: list[Any] = []
    for number, dimensions in kinds:
        types += [ctypes.c_void_p] if dimensions else [_NUMBERS[number.name]]
        types += [ctypes.c_int64] * dimensions
    return ctypes.CFUNCTYPE(None, *types)(address)


def _target_machine() -> Any:
    """The machine's own processor, for code that is placed anywhere in memory."""
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="static" if target.name.startswith("x86") else "default",
        codemodel="jitdefault",
        jit=True,
    )
