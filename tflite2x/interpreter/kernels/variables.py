# SPDX-License-Identifier: Apache-2.0
"""Resource variables: values that live from run to run, addressed by a number that stands for a name."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run, uniform
from tflite2x.interpreter.registry import kernel


def resource_id(array: Array | None, ctx: KernelContext) -> int:
    """Return the number of a resource from the tensor that holds it."""
    assert array is not None
    value = uniform(array)
    if value.size != 1:
        raise ctx.execution_error(f"a resource is one number, the tensor has {value.size}")
    return int(value.reshape(-1)[0])


@kernel("VAR_HANDLE", types=("-> resource",), pure=False)
def var_handle(ctx: KernelContext) -> Run:
    """VAR_HANDLE: the number of a variable; names get numbers in file order, as in LiteRT's var_handle.cc."""
    names: dict[tuple[str, str], int] = {}
    for subgraph in ctx.op.subgraph.model.subgraphs:
        for op in subgraph.operators:
            if op.name == ctx.name and op.custom_code is None:
                key = (op.options.container or "", op.options.shared_name or "")
                number = names.setdefault(key, len(names))
                if op is ctx.op:
                    mine = number
    value = np.full((1, *ctx.outputs[0].shape), mine, np.int32)
    return lambda inputs: [value]


@kernel("READ_VARIABLE", types=("resource -> any",), pure=False)
def read_variable(ctx: KernelContext) -> Run:
    """READ_VARIABLE: the present value. A tensor with a fixed shape keeps it (LiteRT copies the bytes)."""
    spec = ctx.outputs[0]
    fixed = spec.shape if spec.shape and min(spec.shape) >= 0 else None

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        number = resource_id(inputs[0], ctx)
        value = ctx.runtime.resources.get(number)
        if not isinstance(value, np.ndarray):
            raise ctx.execution_error(f"variable {number} is read before it has a value")
        if value.dtype != spec.dtype:
            raise ctx.execution_error(f"variable {number} holds {value.dtype}, the tensor is {spec.dtype}")
        if fixed is not None and value.shape[1:] != fixed and math.prod(value.shape[1:]) == math.prod(fixed):
            value = value.reshape(len(value), *fixed)
        return [value]

    return run


@kernel("ASSIGN_VARIABLE", types=("resource x any",), pure=False)
def assign_variable(ctx: KernelContext) -> Run:
    """ASSIGN_VARIABLE: give the variable another value."""
    ctx.input(0)
    ctx.input(1)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        value = inputs[1]
        assert value is not None
        # The array may be a view of something that changes, such as a variable tensor.
        ctx.runtime.resources[resource_id(inputs[0], ctx)] = value.copy()
        return []

    return run
