# SPDX-License-Identifier: Apache-2.0
"""Where TFLite Micro's contract (``rounding="double"``) was compared with TFLite Micro, and where it is another one.

TFLite Micro is compared as it is built by default, with its reference kernels: MultiplyByQuantizedMultiplier rounds
twice for 32-bit sums (gemmlowp) and once, half up, with a 16-bit mantissa for 64-bit ones. LiteRT 2.3's released
reference kernels compute the same function, so that most operators do not differ at all.

``scripts/tflm_vectors.py`` compares; ``tests/interpreter/tflm`` holds results of TFLite Micro for every operator here.
Not followed is what TFLite Micro leaves undefined or gets wrong: the padding of SPACE_TO_BATCH_ND, which it does not
set, and DEQUANTIZE with one scale per channel, of which it takes the first. CUMSUM and ADD_N of int8 exist only there.
"""

from __future__ import annotations

_COMPARED = """
ABS ADD ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_TO CONCATENATION CONV_2D
DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV ELU EQUAL EXPAND_DIMS FULLY_CONNECTED GATHER GATHER_ND GREATER
GREATER_EQUAL HARD_SWISH L2_NORMALIZATION LEAKY_RELU LESS LESS_EQUAL LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN
MINIMUM MIRROR_PAD MUL NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6 RESHAPE
RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 RSQRT SELECT_V2 SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH
SPLIT SPLIT_V SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV
UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK
"""

#: Operators whose kernels were compared with TFLite Micro.
COMPARED = frozenset(_COMPARED.split())

#: Operator -> what TFLite Micro computes otherwise than LiteRT.
DIFFERENCES = {
    "ADD": "int16 never shifts for power-of-two scales; plain int32 has no fused activation",
    "FULLY_CONNECTED": "a quantized multiplier; LiteRT's is a float64 number",
    "LOGISTIC": "int8 in gemmlowp's fixed point; LiteRT has a table of float32 results",
    "MUL": "the multiplier is computed in float64; LiteRT's in float32",
    "PRELU": "the multipliers are computed in float64; LiteRT's in float32",
    "RELU6": "clamps in the input's scale and does not requantize",
    "RSQRT": "int16 is computed like int8; LiteRT interpolates in a table",
    "SOFTMAX": "int16 tables are filled in float32, and the multiplier is float64; LiteRT's the other way round",
    "SQUARED_DIFFERENCE": "has int16",
    "SUB": "the multipliers are computed in float32; int16 never shifts for power-of-two scales",
    "TANH": "int8 in gemmlowp's fixed point; LiteRT has a table of float32 results",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "integer cells are another kernel, which takes int16, too",
}


def verified(name: str, against: str) -> str:
    """Add TFLite Micro to what an operator was compared with."""
    if name not in COMPARED:
        return against
    difference = DIFFERENCES.get(name)
    return f"{against}; TFLite Micro" + (f" ({difference})" if difference else "")
