# SPDX-License-Identifier: Apache-2.0
"""Lowering of operators on numbers without a scale: plain integers, truth values, positions; for exports."""

from __future__ import annotations

import math

import numpy as np

from tflite2x.interpreter.elementwise import option
from tflite2x.program.elementwise import loops, merge
from tflite2x.program.lowering import Work, lowers
from tflite2x.program.steps import Step
from tflite2x.program.steps_plain import Cast, Gather, GatherNd, Plain, Select
from tflite2x.program.values import fits

_WIDE = ("INT32", "INT64")
_ALL = ("FLOAT32", "INT8", "UINT8", "INT16", "INT32", "INT64", "BOOL")
_ARITHMETIC = {"ADD": "add", "SUB": "sub", "MUL": "mul"}
_ORDER = {
    "EQUAL": "equal", "NOT_EQUAL": "not_equal", "LESS": "less", "LESS_EQUAL": "less_equal", "GREATER": "greater",
    "GREATER_EQUAL": "greater_equal",
}  # fmt: skip
_LOGIC = {"LOGICAL_AND": "and", "LOGICAL_OR": "or"}


@lowers(*_ARITHMETIC, exported=_WIDE)
def arithmetic(work: Work) -> list[Step]:
    """ADD, SUB and MUL of int32 and int64, which wrap."""
    if option(work.ctx, "fused_activation_function", 0):
        raise work.ctx.unsupported(f"{work.op.name} of plain integers with a fused activation")
    return [Plain(**work.common(0, 1), **loops(work), operation=_ARITHMETIC[work.op.name])]


@lowers(*_ORDER, exported=("FLOAT32", *_WIDE))
def ordering(work: Work) -> list[Step]:
    """Comparisons."""
    return [Plain(**work.common(0, 1), **loops(work), operation=_ORDER[work.op.name])]


@lowers(*_LOGIC, exported=("BOOL",))
def logic(work: Work) -> list[Step]:
    """LOGICAL_AND and LOGICAL_OR."""
    return [Plain(**work.common(0, 1), **loops(work), operation=_LOGIC[work.op.name])]


@lowers("SELECT", "SELECT_V2", exported=_ALL)
def select(work: Work) -> list[Step]:
    """SELECT and SELECT_V2."""
    out = work.output().shape
    shapes = [work.input(i).shape for i in range(3)]
    if work.op.name == "SELECT" and len(shapes[0]) == 1 and len(out) > 1 and shapes[0][0] == out[0]:
        shapes[0] = (*shapes[0], *(1,) * (len(out) - 1))
    if math.prod(out) == 1:
        shapes = [(1,) * len(out)] * 3
    if np.broadcast_shapes(*shapes) != out:
        raise work.ctx.unsupported(
            f"the output's shape is {np.broadcast_shapes(*shapes)} at run time, {out} in the model"
        )
    views = [np.broadcast_to(np.arange(math.prod(s)).reshape(s), out) for s in shapes]
    count, strides = merge(list(out), [[s // v.itemsize for s in v.strides] for v in views])
    return [
        Select(
            **work.common(0, 1, 2), rank=len(count), count=work.const("count", count, dtype=np.int32),
            c_stride=work.const("c_stride", strides[0], dtype=np.int32),
            a_stride=work.const("a_stride", strides[1], dtype=np.int32),
            b_stride=work.const("b_stride", strides[2], dtype=np.int32),
        )
    ]  # fmt: skip


@lowers("CAST", exported=_ALL)
def cast(work: Work) -> list[Step]:
    """CAST between the types that code can hold."""
    source, target = work.input(0).dtype, work.output().dtype
    if work.ctx.outputs[0].type.name not in _ALL:
        raise work.ctx.unsupported(f"CAST to {work.ctx.outputs[0].type.name}")
    size = work.output().size
    if source == "float32" and target not in ("bool", "float32"):
        low, high = fits(target)
        return [Cast(**work.common(0), mode="saturate", size=size, low=float(low), above=float(high // 2 + 1) * 2)]
    return [Cast(**work.common(0), mode="truth" if target == "bool" else "wrap", size=size)]


@lowers("GATHER", "EMBEDDING_LOOKUP", exported=(*_ALL, "INT32"))
def gather(work: Work) -> list[Step]:
    """GATHER and EMBEDDING_LOOKUP with positions that are computed at run time."""
    table, index = (0, 1) if work.op.name == "GATHER" else (1, 0)
    if work.ctx.input(index).const is not None and work.op.name == "GATHER":
        from tflite2x.program.moving import move

        return move(work)
    if option(work.ctx, "batch_dims", 0):
        raise work.ctx.unsupported("GATHER with batch dimensions and positions that are computed at run time")
    x, out = work.input(table), work.output()
    if x.dtype != out.dtype:
        raise work.ctx.unsupported(f"a table of {x.dtype} for an output of {out.dtype}")
    shape = x.shape
    axis = int(option(work.ctx, "axis", 0)) % len(shape) if work.op.name == "GATHER" else 0
    outer, inner, places = math.prod(shape[:axis]), math.prod(shape[axis + 1 :]), work.input(index).size
    if outer * inner * places != out.size:
        raise work.ctx.unsupported(f"the output's shape in the model, {out.shape}, is not the one at run time")
    return [
        Gather(**work.common(table, index), outer=outer, length=shape[axis], places=places, inner=inner)
    ]  # fmt: skip


@lowers("GATHER_ND", exported=_ALL)
def gather_nd(work: Work) -> list[Step]:
    """GATHER_ND: every row of positions names an element, or the beginning of a slice."""
    x, index, out = work.input(0), work.input(1), work.output()
    depth = index.shape[-1]
    lengths, inner = x.shape[:depth], math.prod(x.shape[depth:])
    if depth < 1 or (*index.shape[:-1], *x.shape[depth:]) != out.shape:
        raise work.ctx.unsupported(f"the output's shape in the model, {out.shape}, is not the one at run time")
    return [
        GatherNd(
            **work.common(0, 1), places=index.size // depth, depth=depth, inner=inner,
            lengths=work.const("lengths", lengths, dtype=np.int32),
        )
    ]  # fmt: skip
