# SPDX-License-Identifier: Apache-2.0
"""The custom operator ``NumericVerify``, which converters put behind quantized operators to find where errors begin.

Source: LiteRT numeric_verify.cc.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tflite2x.interpreter.kernel import Array, KernelContext, Run
from tflite2x.interpreter.kernels.layout import given
from tflite2x.interpreter.kernels.options import read_options
from tflite2x.interpreter.kernels.quantization import dequantize
from tflite2x.interpreter.registry import kernel
from tflite2x.schema.enums import TensorType

_TYPES = (TensorType.UINT8, TensorType.INT8, TensorType.INT16, TensorType.FLOAT16)
#: Smaller tolerances are not checked.
_CHECKED = 0.1


@kernel("NumericVerify", types=tuple(f"{t.name.lower()} x float32 -> float32" for t in _TYPES))
def numeric_verify(ctx: KernelContext) -> Run:
    """NumericVerify: the dequantized first input minus the second.

    Options: tolerance (in steps of the quantization) and log_if_failed. With the latter, and a tolerance of at least
    0.1, a larger difference is an error. LiteRT does not compute anew for a constant first input; this does.
    """
    options = read_options(ctx)
    tolerance = np.float32(options.get("tolerance", 0))
    checked = bool(options.get("log_if_failed", False)) and tolerance >= _CHECKED
    x_spec, reference_spec = ctx.input(0), ctx.input(1)
    if x_spec.type not in _TYPES or reference_spec.type != TensorType.FLOAT32:
        raise ctx.unsupported(f"NumericVerify of {x_spec.type.name} and {reference_spec.type.name}")
    limit = tolerance * (x_spec.scale[0] if x_spec.is_quantized else np.float32(0))
    real = dequantize(ctx)

    def run(inputs: Sequence[Array | None]) -> Sequence[Array]:
        (value,), reference = real(inputs[:1]), given(inputs[1])
        if value[0].size != reference[0].size:
            raise ctx.execution_error(f"shapes {list(value.shape[1:])} and {list(reference.shape[1:])} differ")
        difference = value - reference.reshape(len(reference), *value.shape[1:])
        if checked and np.any(np.abs(difference) > limit):
            worst = float(np.nanmax(np.abs(difference)))
            raise ctx.execution_error(
                f"values differ from the reference by up to {worst:g}, more than {float(limit):g}",
                hint="That is what NumericVerify is there to tell; its option log_if_failed makes it an error.",
            )
        return [difference]

    return run
