# SPDX-License-Identifier: Apache-2.0
"""Lowering of the operators that move data.

None of them is described here: the interpreter's own kernel moves numbers 1, 2, 3, ..., and where they arrive says
where every element of the output comes from. The pattern is then written down as loops: blocks of the output that come
from one input, with a distance per dimension, or with a table of positions per dimension where there is none.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tflite2x.interpreter.specs import tensor_spec
from tflite2x.program.elementwise import merge
from tflite2x.program.lowering import Work, lowers, run_kernel
from tflite2x.program.steps import Copy, CopyBlock, CopyIndexed, Fill, Lookup, Step
from tflite2x.program.values import Array, Const, Value, fits
from tflite2x.schema.enums import TensorType

#: More blocks than this are no pattern.
_MOST_BLOCKS = 64
_INTEGERS = ("int8", "uint8", "int16", "int32", "float32", "bool", "int64")

#: Operator -> inputs that are moved; the others say how.
_MOVED: dict[str, slice] = {
    "TRANSPOSE": slice(0, 1), "STRIDED_SLICE": slice(0, 1), "SLICE": slice(0, 1), "PAD": slice(0, 1),
    "PADV2": slice(0, 1), "MIRROR_PAD": slice(0, 1), "CONCATENATION": slice(None), "PACK": slice(None),
    "UNPACK": slice(0, 1), "SPLIT": slice(1, 2), "SPLIT_V": slice(0, 1), "RESIZE_NEAREST_NEIGHBOR": slice(0, 1),
    "SPACE_TO_DEPTH": slice(0, 1), "DEPTH_TO_SPACE": slice(0, 1), "SPACE_TO_BATCH_ND": slice(0, 1),
    "BATCH_TO_SPACE_ND": slice(0, 1), "TILE": slice(0, 1), "BROADCAST_TO": slice(0, 1), "REVERSE_V2": slice(0, 1),
    "GATHER": slice(0, 1),
}  # fmt: skip


@lowers(*_MOVED)
def move(work: Work) -> list[Step]:
    """Any operator that only moves elements (and uint8 CONCATENATION, which may rescale them before)."""
    moved = list(range(len(work.op.inputs)))[_MOVED[work.op.name]]
    for index in range(len(work.op.inputs)):
        if index not in moved and work.op.inputs[index] is not None:
            work.constant(index, "what says how to move")
    sources = [work.input(i) for i in moved]
    if sources[0].dtype not in _INTEGERS:
        raise work.ctx.unsupported(f"{work.op.name} of {sources[0].dtype}")
    maps, starts = _origins(work, moved, sources)
    filling = _filling(work, moved) if any((m == 0).any() for m in maps) else None
    steps: list[Step] = []
    sources, tables = _rescaled(work, moved, sources)
    steps += tables
    for port, places in enumerate(maps):
        steps += _output_steps(work, port, places, starts, sources, filling)
    return steps


def _origins(work: Work, moved: list[int], sources: list[Any]) -> tuple[list[Array], list[int]]:
    """Return per output where its elements come from: 0 is the fill value, 1 and up count the inputs' elements."""
    starts, begin = [], 1
    for source in sources:
        starts.append(begin)
        begin += source.size
    # As int32 without quantization, every kernel that moves elements moves numbers without looking at them.
    plain: dict[str, Any] = {
        "type": TensorType.INT32, "dtype": np.dtype(np.int32), "scale": np.zeros(0, np.float32),
    }  # fmt: skip
    inputs = tuple(
        dataclasses.replace(tensor_spec(t), **plain) if i in moved and t is not None else work.ctx.inputs[i]
        for i, t in enumerate(work.op.inputs)
    )
    outputs = tuple(dataclasses.replace(s, **plain) for s in work.ctx.outputs)
    if work.op.name == "PADV2":
        inputs = inputs[:2]
    run = work.lowering.prepare(work.op, dataclasses.replace(work.ctx, inputs=inputs, outputs=outputs))
    arrays: list[Array | None] = []
    for i, spec in enumerate(inputs):
        if i in moved:
            source = sources[moved.index(i)]
            first = starts[moved.index(i)]
            arrays.append(np.arange(first, first + source.size, dtype=np.int32).reshape(1, *source.shape))
        else:
            arrays.append(None if spec is None or spec.const is None else spec.const[None])
    maps = [a[0] for a in run_kernel(run, arrays)]
    for port, places in enumerate(maps):
        if places.shape != work.output(port).shape:
            raise work.ctx.unsupported(
                f"the output's shape is {places.shape} at run time, {work.output(port).shape} in the model"
            )
    return maps, starts


def _run_original(work: Work, moved: list[int], value: Any) -> Array:
    """Run the operator as it is, with all moved inputs set to one value."""
    arrays: list[Array | None] = []
    for i, spec in enumerate(work.ctx.inputs):
        if spec is None:
            arrays.append(None)
        elif i in moved:
            arrays.append(np.full((1, *spec.shape), value, spec.dtype))
        else:
            arrays.append(None if spec.const is None else spec.const[None])
    result: Array = run_kernel(work.lowering.prepare(work.op, work.ctx), arrays)[0][0]
    return result


def _filling(work: Work, moved: list[int]) -> int | float:
    """Return the value of elements that come from no input: those that two different inputs leave alike."""
    one, two = (_run_original(work, moved, v) for v in (1, 2))
    values = np.unique(one[one == two])
    if len(values) != 1 or one.dtype.kind not in "iuf":
        raise work.ctx.unsupported("a fill value that is not one number")
    value: int | float = values[0].item()
    return value


def _rescaled(work: Work, moved: list[int], sources: list[Any]) -> tuple[list[Any], list[Step]]:
    """Put tables in front of uint8 CONCATENATION where inputs and output have different scales."""
    if work.op.name != "CONCATENATION" or sources[0].dtype != "uint8":
        return sources, []
    low, high = fits("uint8")
    results = np.stack([_run_original(work, moved, v) for v in range(low, high + 1)])
    maps, starts = _origins(work, moved, sources)
    changed, steps = list(sources), list[Step]()
    for k, source in enumerate(sources):
        place = np.argwhere(maps[0] == starts[k])[0]
        table = results[(slice(None), *place)]
        if np.array_equal(table, np.arange(256)):
            continue
        name = work.lowering.names(f"{work.label}_part_{k}")
        changed[k] = Value(name, source.shape, "uint8", work.ctx.outputs[0])
        const = work.const(f"table_{k}", table, "from the input's to the output's scale")
        steps.append(
            Lookup(
                inputs=(source,), output=changed[k], origin=work.origin, size=source.size, x_min=0, table=const,
                meaning="x",
            )
        )  # fmt: skip
    return changed, steps


def _output_steps(
    work: Work, port: int, places: Array, starts: list[int], sources: list[Any], filling: int | float | None
) -> list[Step]:
    out = work.output(port)
    flat = np.arange(out.size).reshape(places.shape)
    steps: list[Step] = []
    if filling is not None and (places == 0).any():
        steps.append(Fill(inputs=(), output=out, origin=work.origin, size=out.size, value=filling))
    for source, start in zip(sources, starts, strict=True):
        mine = (places >= start) & (places < start + source.size)
        steps += [_block(work, port, source, x, y) for x, y in _boxes(places - start, flat, mine)]
    if len(steps) > _MOST_BLOCKS:
        raise work.ctx.unsupported(f"{len(steps)} blocks of elements")
    return steps


def _boxes(x: Array, y: Array, mine: Array) -> list[tuple[Array, Array]]:
    """Cut the marked elements into boxes without gaps: the whole, or else the boxes of each entry along axis 0."""
    if not mine.any():
        return []
    if mine.ndim == 0:
        return [(x, y)]
    corners = np.argwhere(mine)
    box = tuple(slice(int(a), int(b) + 1) for a, b in zip(corners.min(0), corners.max(0), strict=True))
    if mine[box].all():
        return [(x[box], y[box])]
    return [pair for i in range(len(mine)) for pair in _boxes(x[i], y[i], mine[i])]


def _block(work: Work, port: int, source: Value | Const, x: Array, y: Array) -> Step:
    """Write down one block: positions ``x`` in the source, ``y`` in the output, both of the block's shape."""
    base: dict[str, Any] = {"inputs": (source,), "output": work.output(port), "origin": work.origin}
    if x.size == source.size == work.output(port).size and np.array_equal(x.reshape(-1), np.arange(x.size)):
        return Copy(**base, size=x.size)
    y_stride = _strides(y)
    x_stride = _strides(x)
    if _affine(x):
        count, (xs, ys) = merge(list(x.shape), [x_stride, y_stride])
        return CopyBlock(
            **base, rank=len(count), count=work.const("count", count, dtype=np.int32), x_offset=int(x.flat[0]),
            x_stride=work.const("x_stride", xs, dtype=np.int32), y_offset=int(y.flat[0]),
            y_stride=work.const("y_stride", ys, dtype=np.int32),
        )  # fmt: skip
    tables = [np.moveaxis(x, d, 0).reshape(x.shape[d], -1)[:, 0] for d in range(x.ndim)]
    tables = [t - (0 if d == 0 else x.flat[0]) for d, t in enumerate(tables)]
    separable = sum((t.reshape([-1 if i == d else 1 for i in range(x.ndim)]) for d, t in enumerate(tables)), start=0)
    count = list(x.shape)
    if not np.array_equal(separable, x):
        tables, count, y_stride = [x.reshape(-1)], [x.size], [1]
        if not np.array_equal(y.reshape(-1), y.flat[0] + np.arange(y.size)):
            raise work.ctx.unsupported("a block that is neither regular nor contiguous")
    return CopyIndexed(
        **base, rank=len(count), count=work.const("count", count, dtype=np.int32),
        index=work.const("index", np.concatenate(tables), "positions in the input, per dimension", np.int32),
        y_offset=int(y.flat[0]), y_stride=work.const("y_stride", y_stride, dtype=np.int32),
    )  # fmt: skip


def _strides(places: Array) -> list[int]:
    """Return the distance between neighbours along each dimension."""
    return [
        int(np.moveaxis(places, d, 0).reshape(n, -1)[1, 0] - places.flat[0]) if n > 1 else 0
        for d, n in enumerate(places.shape)
    ]


def _affine(places: Array) -> bool:
    expected = places.flat[0] + sum(
        (
            s * np.arange(n).reshape([-1 if i == d else 1 for i in range(places.ndim)])
            for d, (s, n) in enumerate(zip(_strides(places), places.shape, strict=True))
        ),
        start=np.zeros((1,) * places.ndim, np.int64),
    )
    return np.array_equal(np.broadcast_to(expected, places.shape), places)
