# SPDX-License-Identifier: Apache-2.0
"""Which module of ``tflite2x.interpreter.kernels`` declares which operator, so that only needed modules are imported.

A test proves that this table and the declarations agree.
"""

from __future__ import annotations

_OPERATORS = {
    "activations": "RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 PRELU LEAKY_RELU ELU HARD_SWISH",
    "arithmetic": "ADD SUB MUL",
    "binary": "MAXIMUM MINIMUM SQUARED_DIFFERENCE POW ATAN2 ADD_N",
    "bitwise": "RIGHT_SHIFT BITWISE_XOR BITCAST",
    "casts": "CAST",
    "comparisons": "EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER GREATER_EQUAL",
    "division": "DIV FLOOR_DIV FLOOR_MOD",
    "logical": "LOGICAL_AND LOGICAL_OR LOGICAL_NOT",
    "normalization": "L2_NORMALIZATION LOCAL_RESPONSE_NORMALIZATION",
    "quantization": "QUANTIZE DEQUANTIZE FAKE_QUANT",
    "reductions": "MEAN SUM REDUCE_PROD REDUCE_MAX REDUCE_MIN REDUCE_ANY REDUCE_ALL",
    "scans": "ARG_MAX ARG_MIN CUMSUM",
    "sigmoid": "LOGISTIC TANH GELU",
    "signal": "RFFT2D COMPLEX_ABS REAL IMAG BUCKETIZE DILATE",
    "softmax": "SOFTMAX LOG_SOFTMAX",
    "unary": "ABS NEG SQUARE SIN COS FLOOR CEIL ROUND SIGN ZEROS_LIKE EXP LOG SQRT RSQRT",
}

KERNEL_TABLE: dict[str, str] = {
    operator: module for module, operators in _OPERATORS.items() for operator in operators.split()
}
