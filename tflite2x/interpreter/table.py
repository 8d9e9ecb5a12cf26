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
    "broadcasting": "TILE BROADCAST_TO BROADCAST_ARGS",
    "casts": "CAST",
    "comparisons": "EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER GREATER_EQUAL",
    "detection": "TFLite_Detection_PostProcess",
    "division": "DIV FLOOR_DIV FLOOR_MOD",
    "gather_scatter": "GATHER GATHER_ND SCATTER_ND SPARSE_TO_DENSE HASHTABLE_LOOKUP",
    "indexing": "WHERE ONE_HOT FILL RANGE MATRIX_DIAG MATRIX_SET_DIAG",
    "joining": "PACK UNPACK CONCATENATION SPLIT SPLIT_V",
    "logical": "LOGICAL_AND LOGICAL_OR LOGICAL_NOT",
    "normalization": "L2_NORMALIZATION LOCAL_RESPONSE_NORMALIZATION",
    "padding": "PAD PADV2 MIRROR_PAD",
    "projection": "LSH_PROJECTION SKIP_GRAM",
    "quantization": "QUANTIZE DEQUANTIZE FAKE_QUANT",
    "reductions": "MEAN SUM REDUCE_PROD REDUCE_MAX REDUCE_MIN REDUCE_ANY REDUCE_ALL",
    "reshaping": "RESHAPE SQUEEZE EXPAND_DIMS SHAPE RANK TRANSPOSE",
    "resizing": "RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR",
    "scans": "ARG_MAX ARG_MIN CUMSUM",
    "segments": "SEGMENT_SUM UNSORTED_SEGMENT_SUM UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_MIN",
    "selection": "SELECT SELECT_V2",
    "sigmoid": "LOGISTIC TANH GELU",
    "signal": "RFFT2D COMPLEX_ABS REAL IMAG BUCKETIZE DILATE",
    "slicing": "SLICE STRIDED_SLICE DYNAMIC_UPDATE_SLICE REVERSE_V2 REVERSE_SEQUENCE",
    "softmax": "SOFTMAX LOG_SOFTMAX",
    "sorting": "TOPK_V2 UNIQUE",
    "spatial": "SPACE_TO_DEPTH DEPTH_TO_SPACE SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND",
    "suppression": "NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5",
    "unary": "ABS NEG SQUARE SIN COS FLOOR CEIL ROUND SIGN ZEROS_LIKE EXP LOG SQRT RSQRT",
}

KERNEL_TABLE: dict[str, str] = {
    operator: module for module, operators in _OPERATORS.items() for operator in operators.split()
}
