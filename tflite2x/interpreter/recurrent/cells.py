# SPDX-License-Identifier: Apache-2.0
"""LSTM cells in floating point, with float weights and with int8 weights (hybrid).

Source of the formulas: LiteRT ``lstm_eval.cc``, CalculateLstmGateFloat and its neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tflite2x.errors import UnsupportedError
from tflite2x.interpreter.kernel import Array
from tflite2x.interpreter.recurrent.eigen import sigmoid, tanh
from tflite2x.interpreter.recurrent.hybrid import HybridMatrix
from tflite2x.interpreter.recurrent.parameters import CELL, FORGET, INPUT, OUTPUT, CellParameters
from tflite2x.schema.enums import ActivationFunctionType

Float = NDArray[np.float32]

#: LiteRT internal/tensor_utils_common.h: keeps the standard deviation away from zero.
_NORMALIZATION = np.float32(1e-8)


def activate(x: Float, activation: int) -> Float:
    """Apply a fused activation (LiteRT internal/tensor_utils.h, ApplyActivationToVector)."""
    match activation:
        case ActivationFunctionType.NONE:
            return x
        case ActivationFunctionType.RELU:
            return np.maximum(x, np.float32(0))
        case ActivationFunctionType.RELU_N1_TO_1:
            return np.clip(x, np.float32(-1), np.float32(1))
        case ActivationFunctionType.RELU6:
            return np.clip(x, np.float32(0), np.float32(6))
        case ActivationFunctionType.TANH:
            return tanh(x)
        case ActivationFunctionType.SIGN_BIT:
            return np.signbit(x).astype(np.float32)
        case _:
            raise UnsupportedError(f"a recurrent operator has the fused activation {activation}")


class FloatMatrix:
    """Rows times the transposed weights, in float32.

    Args:
        weights: [outputs, inputs], or [outputs] for a diagonal matrix.
    """

    def __init__(self, weights: Array) -> None:
        self._diagonal = weights.ndim == 1
        self._weights = np.ascontiguousarray(weights.T, np.float32)

    def __call__(self, rows: Float) -> Float:
        """Multiply [..., inputs] rows."""
        return rows * self._weights if self._diagonal else rows @ self._weights


class FloatCell:
    """One LSTM cell with float state.

    Args:
        p: Parameters.
        hybrid: The weights are int8, and rows are quantized before each product.
        asymmetric: With ``hybrid``: quantize rows with a zero point.
        rows_together: LiteRT calls the step with all rows of the batch, not one by one.
    """

    def __init__(
        self, p: CellParameters, *, hybrid: bool = False, asymmetric: bool = False, rows_together: bool = True
    ) -> None:
        self.p = p
        self._rows_together = rows_together
        # LiteRT's order of the gates in memory.
        order = (CELL, FORGET, OUTPUT) if p.cifg else (INPUT, CELL, FORGET, OUTPUT)
        self._position = {gate: i for i, gate in enumerate(order)}

        def matrix(name: str, gate: int, weights: Array | None) -> FloatMatrix | HybridMatrix | None:
            if weights is None:
                return None
            if hybrid and weights.ndim == 2:
                return HybridMatrix(weights, p.scale[name][gate], asymmetric=asymmetric)
            return FloatMatrix(weights)

        self._weights = [matrix("weights", g, w) for g, w in enumerate(p.weights)]
        self._recurrent = [matrix("recurrent", g, w) for g, w in enumerate(p.recurrent)]
        self._aux = [matrix("aux", g, w) for g, w in enumerate(p.aux)]
        self._projection = matrix("projection", 0, p.projection)
        # Quantized peephole weights are scaled back; float ones have no scale.
        self._peephole = [
            None if w is None else (w.astype(np.float32) * np.float32(s) if hybrid else w)
            for w, s in zip(p.peephole, p.scale["peephole"], strict=True)
        ]

    def inputs(self, x: Float, aux: Float | None) -> dict[int, Float]:
        """Return each gate's share that does not depend on the state, for all steps at once."""
        result = {}
        for gate in self.p.gates:
            share = self._product(self._weights[gate], x)
            if self.p.norm[gate] is None:
                share = self.p.need("bias", gate) + share
            if aux is not None:
                share = share + self._product(self._aux[gate], aux)
            result[gate] = share
        return result

    def step(self, shares: dict[int, Float], output: Float, cell: Float) -> tuple[Float, Float]:
        """Advance by one step.

        Args:
            shares: Result of ``inputs`` for this step: [rows, n_cell] per gate.
            output: Output state [rows, n_output].
            cell: Cell state [rows, n_cell].

        Returns:
            The new states.
        """
        p = self.p
        forget = self._gate(FORGET, shares, output, cell)
        enter = np.float32(1) - forget if p.cifg else self._gate(INPUT, shares, output, cell)
        update = self._gate(CELL, shares, output, cell)
        cell = forget * cell + update * enter
        if p.cell_clip > 0:
            cell = np.clip(cell, np.float32(-p.cell_clip), np.float32(p.cell_clip))
        gate = self._gate(OUTPUT, shares, output, cell)
        hidden = gate * activate(cell, p.activation)
        if self._projection is None:
            return hidden, cell
        output = self._projection(hidden)
        if p.projection_bias is not None:
            output = p.projection_bias + output
        if p.proj_clip > 0:
            output = np.clip(output, np.float32(-p.proj_clip), np.float32(p.proj_clip))
        return output, cell

    def _gate(self, gate: int, shares: dict[int, Float], output: Float, cell: Float) -> Float:
        p = self.p
        x = shares[gate] + self._product(self._recurrent[gate], output)
        peephole = None if gate == CELL else self._peephole[{INPUT: 0, FORGET: 1, OUTPUT: 2}[gate]]
        if peephole is not None:
            x = x + peephole * cell
        norm = p.norm[gate]
        if norm is not None:
            x = _normalize(x) * norm + p.need("bias", gate)
        if gate == CELL:
            return activate(x, p.activation)
        start = self._position[gate] * x.shape[-2] * x.shape[-1]
        return sigmoid(x, start, rows_together=self._rows_together)

    @staticmethod
    def _product(matrix: FloatMatrix | HybridMatrix | None, rows: Float) -> Float:
        assert matrix is not None, "parameters.collect refuses incomplete cells"
        return matrix(rows)


def _normalize(x: Float) -> Float:
    """Return rows with mean 0 and variance 1; float32 sums one after the other (PortableMeanStddevNormalization)."""
    n = np.float32(x.shape[-1])
    centered = x - np.cumsum(x, axis=-1, dtype=np.float32)[..., -1:] / n
    variance = np.cumsum(centered * centered, axis=-1, dtype=np.float32)[..., -1:] / n
    result: Float = centered * (np.float32(1) / np.sqrt(variance + _NORMALIZATION))
    return result
