# SPDX-License-Identifier: Apache-2.0
"""A QUANTIZE in front of quantized inputs, so that mistakes in quantizing the input have an operator to be made in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tflite2x.interpreter.kernel import Array
from tflite2x.schema.enums import TensorType
from tflite2x.schema.tables import QuantizeOptions

if TYPE_CHECKING:
    from tflite2x.ir import Model


def with_real_inputs(model: Model, inputs: Sequence[Array]) -> tuple[Model, list[Array]]:
    """Return a copy of the model that takes real numbers where the model takes quantized integers.

    The quantized inputs keep their names; tensors keep their indices, because the new ones come last.

    Args:
        model: The model.
        inputs: Real numbers, in model order.
    """
    copy = model.clone()
    graph = copy.main
    for tensor in tuple(graph.inputs):
        quantization = tensor.quantization
        if tensor.numpy_dtype.kind not in "iu" or quantization is None or quantization.scale.size != 1:
            continue
        real = graph.add_tensor(f"{tensor.name} (real numbers)", tensor.shape, TensorType.FLOAT32,
                                shape_signature=tensor.shape_signature)  # fmt: skip
        graph.replace_input(tensor, real)
        graph.add_operator("QUANTIZE", [real], [tensor], QuantizeOptions(), index=0)
    return copy, [np.asarray(a, np.float32) if t.dtype == TensorType.FLOAT32 else a
                  for a, t in zip(inputs, graph.inputs, strict=True)]  # fmt: skip
