# SPDX-License-Identifier: Apache-2.0
"""Which module of ``tflite2x.interpreter.kernels`` declares which operator, so that only needed modules are imported.

A test proves that this table and the declarations agree.
"""

from __future__ import annotations

_OPERATORS = {
    "activations": "RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 PRELU LEAKY_RELU ELU HARD_SWISH",
    "arithmetic": "ADD SUB MUL",
    "audio": "AudioSpectrogram Mfcc",
    "batch_matmul": "BATCH_MATMUL",
    "binary": "MAXIMUM MINIMUM SQUARED_DIFFERENCE POW ATAN2 ADD_N",
    "bitwise": "RIGHT_SHIFT BITWISE_XOR BITCAST",
    "broadcasting": "TILE BROADCAST_TO BROADCAST_ARGS",
    "casts": "CAST",
    "comparisons": "EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER GREATER_EQUAL",
    "control_flow": "IF WHILE CALL_ONCE STABLEHLO_COMPOSITE STABLEHLO_CASE",
    "convolution": "CONV_2D CONV_3D",
    "depthwise_convolution": "DEPTHWISE_CONV_2D",
    "detection": "TFLite_Detection_PostProcess",
    "division": "DIV FLOOR_DIV FLOOR_MOD",
    "embedding": "EMBEDDING_LOOKUP EMBEDDING_LOOKUP_SPARSE",
    "fully_connected": "FULLY_CONNECTED",
    "gather_scatter": "GATHER GATHER_ND SCATTER_ND SPARSE_TO_DENSE HASHTABLE_LOOKUP",
    "hash_tables": "HASHTABLE HASHTABLE_IMPORT HASHTABLE_FIND HASHTABLE_SIZE",
    "indexing": "WHERE ONE_HOT FILL RANGE MATRIX_DIAG MATRIX_SET_DIAG",
    "joining": "PACK UNPACK CONCATENATION SPLIT SPLIT_V",
    "logical": "LOGICAL_AND LOGICAL_OR LOGICAL_NOT",
    "lstm": "LSTM UNIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_LSTM",
    "numeric_verify": "NumericVerify",
    "normalization": "L2_NORMALIZATION LOCAL_RESPONSE_NORMALIZATION",
    "padding": "PAD PADV2 MIRROR_PAD",
    "pooling": "AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D",
    "projection": "LSH_PROJECTION SKIP_GRAM",
    "quantization": "QUANTIZE DEQUANTIZE FAKE_QUANT",
    "random": "RANDOM_UNIFORM RANDOM_STANDARD_NORMAL MULTINOMIAL STABLEHLO_RNG_BIT_GENERATOR",
    "reductions": "MEAN SUM REDUCE_PROD REDUCE_MAX REDUCE_MIN REDUCE_ANY REDUCE_ALL",
    "reshaping": "RESHAPE SQUEEZE EXPAND_DIMS SHAPE RANK TRANSPOSE DENSIFY",
    "resizing": "RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR",
    "rnn": "RNN UNIDIRECTIONAL_SEQUENCE_RNN BIDIRECTIONAL_SEQUENCE_RNN",
    "scans": "ARG_MAX ARG_MIN CUMSUM",
    "segments": "SEGMENT_SUM UNSORTED_SEGMENT_SUM UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_MIN",
    "selection": "SELECT SELECT_V2",
    "sigmoid": "LOGISTIC TANH GELU",
    "signal": "RFFT2D COMPLEX_ABS REAL IMAG BUCKETIZE DILATE",
    "slicing": "SLICE STRIDED_SLICE DYNAMIC_UPDATE_SLICE REVERSE_V2 REVERSE_SEQUENCE",
    "softmax": "SOFTMAX LOG_SOFTMAX",
    "sorting": "TOPK_V2 UNIQUE",
    "spatial": "SPACE_TO_DEPTH DEPTH_TO_SPACE SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND",
    "stablehlo": "STABLEHLO_ADD STABLEHLO_MULTIPLY STABLEHLO_MAXIMUM STABLEHLO_MINIMUM "
    "STABLEHLO_AND STABLEHLO_SHIFT_LEFT STABLEHLO_PAD",
    "stablehlo_indexing": "STABLEHLO_GATHER STABLEHLO_SCATTER",
    "suppression": "NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5",
    "svdf": "SVDF",
    "transpose_convolution": "TRANSPOSE_CONV CONV_3D_TRANSPOSE",
    "unary": "ABS NEG SQUARE SIN COS FLOOR CEIL ROUND SIGN ZEROS_LIKE EXP LOG SQRT RSQRT",
    "variables": "VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE",
    "window_reductions": "REDUCE_WINDOW STABLEHLO_REDUCE_WINDOW",
}

KERNEL_TABLE: dict[str, str] = {
    operator: module for module, operators in _OPERATORS.items() for operator in operators.split()
}
