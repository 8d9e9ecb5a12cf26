# SPDX-License-Identifier: Apache-2.0
"""``--arrays``: only the parameters of a model with their quantization, without code that computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tflite2x import __version__
from tflite2x.errors import UnsupportedError
from tflite2x.export import c, rust
from tflite2x.export.writing import TYPES, Source
from tflite2x.interpreter.specs import constant_value, tensor_spec
from tflite2x.program.numpy_code import module_code, one_line
from tflite2x.program.values import Const, Names, identifier

if TYPE_CHECKING:
    from tflite2x.ir import Model, Operator, Tensor

_ROLES = {
    "CONV_2D": ("", "weights", "bias"), "DEPTHWISE_CONV_2D": ("", "weights", "bias"),
    "FULLY_CONNECTED": ("", "weights", "bias"), "XC_fc": ("", "weights", "bso"),
}  # fmt: skip


def collect(model: Model) -> list[Const]:
    """Return the constants that operators of the main subgraph read, and the scales of every quantized tensor.

    Raises:
        UnsupportedError: A constant has a type that C and Rust have not: one error that lists all of them.
    """
    names, found = Names(), list[Const]()
    problems: list[str] = []
    seen: set[Tensor] = set()
    for op in model.main.operators:
        for index, tensor in enumerate(op.inputs):
            if tensor is None or tensor in seen:
                continue
            seen.add(tensor)
            value = constant_value(tensor) if tensor.producer is None and not tensor.is_input else None
            if value is not None and value.size == 0:
                continue  # C has no empty arrays
            if value is not None and value.dtype.name not in TYPES:
                problems.append(f"{tensor.where}: {tensor.dtype.name}")
                continue
            name = identifier(f"{op.name}_{op.index}_{_role(op, index)}")
            if value is not None:
                found.append(Const(names(name), value, _note(tensor)))
            found += _quantization(tensor, name, names, constant=value is not None)
        for tensor in op.outputs:
            if tensor is not None and tensor not in seen and not tensor.consumers:
                seen.add(tensor)
                found += _quantization(tensor, identifier(f"{op.name}_{op.index}_output"), names, constant=False)
    if problems:
        listing = "".join(f"\n  {p}" for p in problems)
        raise UnsupportedError(
            f"{len(problems)} constants have types that cannot be written:{listing}", where=str(model.path or "")
        )
    return found


def _role(op: Operator, index: int) -> str:
    roles = _ROLES.get(op.name, ())
    return (roles[index] if index < len(roles) else "") or f"input_{index}"


def _note(tensor: Tensor) -> str:
    spec = tensor_spec(tensor)
    text = f"tensor {tensor.index} {tensor.name!r}"
    if spec.scale.size == 1:
        return f"{text}, real = {spec.s:.9g} * (q - {spec.z})".replace("- -", "+ ")
    return f"{text}, {spec.scale.size} scales along axis {spec.axis}" if spec.scale.size else text


def _quantization(tensor: Tensor, name: str, names: Names, *, constant: bool) -> list[Const]:
    spec = tensor_spec(tensor)
    if not spec.is_quantized:
        return []
    what = f"of tensor {tensor.index} {tensor.name!r}" + (
        "" if constant else f" ({tensor.dtype.name} {list(tensor.shape)})"
    )
    return [
        Const(names(f"{name}_scale"), spec.scale.astype(np.float32), f"scale {what}"),
        Const(names(f"{name}_zero_point"), spec.zero_point.astype(np.int32), f"zero point {what}"),
    ]


def files(model: Model, lang: str, name: str, source: Source) -> dict[str, bytes]:
    """Return the files with the parameters, by name."""
    constants = collect(model)
    head = [f"Parameters of {one_line(source.model)} (sha256 {source.sha256}), written by tflite2x {__version__}."]
    if lang == "numpy":
        return {f"{name}_arrays.py": module_code('"""' + head[0] + '"""\n', constants, set(), "").encode()}
    if lang == "rust":
        return {f"{name}_arrays.rs": (rust.data_head(head) + "\n" + "\n".join(map(rust.array, constants))).encode()}
    guard = f"{name.upper()}_ARRAYS_H"
    declared = "".join(f"extern const {c.c_type(k.dtype)} {name}_{k.name}[{max(1, k.size)}];\n" for k in constants)
    header = f"{c.comment(head)}#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n\n{declared}\n#endif\n"
    body = "\n".join(c.array(k, f"{name}_") for k in constants)
    code = f'{c.comment(head)}#include "{name}_arrays.h"\n\n{c.ALIGN}\n{body}'
    return {f"{name}_arrays.h": header.encode(), f"{name}_arrays.c": code.encode()}
