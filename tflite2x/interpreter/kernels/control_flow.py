# SPDX-License-Identifier: Apache-2.0
"""Operators that run other subgraphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, uniform
from tflite2x.interpreter.registry import kernel

if TYPE_CHECKING:
    from tflite2x.ir import Subgraph

_ANY = ("any",)


def _called(ctx: KernelContext, field: str, inputs: int, outputs: int) -> Subgraph:
    """Return the subgraph behind an options field; refuse it when its signature does not fit."""
    subgraph = ctx.op.calls.get(field)
    if subgraph is None:
        raise ctx.unsupported(f"the options do not say which subgraph {field} is")
    if len(subgraph.inputs) != inputs or len(subgraph.outputs) != outputs:
        raise ctx.unsupported(
            f"{subgraph.where} has {len(subgraph.inputs)} inputs and {len(subgraph.outputs)} outputs, "
            f"not {inputs} and {outputs}"
        )
    return subgraph


def _given(inputs: Sequence[Array | None], ctx: KernelContext) -> list[Array]:
    values = [array for array in inputs if array is not None]
    if len(values) != len(inputs):
        raise ctx.execution_error("an input that goes to a subgraph is missing")
    return values


def _single(array: Array, ctx: KernelContext, what: str) -> Array:
    value = uniform(array)
    if value.size != 1:
        raise ctx.execution_error(f"{what} has {value.size} elements, not one")
    return value.reshape(())


@kernel("IF", types=_ANY, pure=False)
def if_(ctx: KernelContext) -> Run:
    """IF: run one of two subgraphs, as input 0 says. Samples that decide differently run one by one."""
    ctx.input(0)
    count = len(ctx.inputs) - 1, len(ctx.outputs)
    then = _called(ctx, "then_subgraph_index", *count)
    otherwise = _called(ctx, "else_subgraph_index", *count)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        condition, *arguments = _given(inputs, ctx)
        return ctx.runtime.call(then if _single(condition, ctx, "the condition") else otherwise, arguments)

    return run


@kernel("WHILE", types=_ANY, pure=False)
def while_(ctx: KernelContext) -> Run:
    """WHILE: run the body on its own outputs as long as the condition holds. Samples that differ run one by one."""
    count = len(ctx.inputs)
    if len(ctx.outputs) != count:
        raise ctx.unsupported(f"{count} inputs and {len(ctx.outputs)} outputs; a loop has as many of both")
    condition = _called(ctx, "cond_subgraph_index", count, 1)
    body = _called(ctx, "body_subgraph_index", count, count)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        values = _given(inputs, ctx)
        while _single(ctx.runtime.call(condition, values)[0], ctx, "the condition"):
            values = ctx.runtime.call(body, values)
        return values

    return run


@kernel("CALL_ONCE", types=_ANY, pure=False)
def call_once(ctx: KernelContext) -> Run:
    """CALL_ONCE: run a subgraph for what it does to resources, once until the interpreter is reset."""
    subgraph = _called(ctx, "init_subgraph_index", 0, 0)
    key = ("CALL_ONCE", subgraph.index)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        resources = ctx.runtime.resources
        if key not in resources:
            ctx.runtime.call(subgraph, [])
            # An array belongs to its sample, like the resources that the subgraph made.
            ctx.runtime.resources[key] = np.ones(1, np.bool_)
        return []

    return run


@kernel("STABLEHLO_COMPOSITE", types=_ANY, pure=False)
def composite(ctx: KernelContext) -> Run:
    """STABLEHLO_COMPOSITE: run the subgraph that says what the composite operator means."""
    subgraph = _called(ctx, "decomposition_subgraph_index", len(ctx.inputs), len(ctx.outputs))
    return lambda inputs: ctx.runtime.call(subgraph, _given(inputs, ctx))


@kernel("STABLEHLO_CASE", types=_ANY, pure=False)
def case(ctx: KernelContext) -> Run:
    """STABLEHLO_CASE: run the branch whose number is input 0; a number out of range means the last branch."""
    ctx.input(0)
    branches = [
        _called(ctx, f"branch_subgraph_indices[{i}]", len(ctx.inputs) - 1, len(ctx.outputs))
        for i in range(len(ctx.options.branch_subgraph_indices or ()))
    ]
    if not branches:
        raise ctx.unsupported("there are no branches")

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        number, *arguments = _given(inputs, ctx)
        chosen = int(_single(number, ctx, "the branch number"))
        return ctx.runtime.call(branches[chosen if 0 <= chosen < len(branches) else -1], arguments)

    return run
