# SPDX-License-Identifier: Apache-2.0
"""Functions that printed NumPy code calls, as text: they are pasted in front of it, and import NumPy only.

The formulas are those of :mod:`tflite2x.interpreter.fixedpoint` and :mod:`tflite2x.interpreter.gemmlowp`; tests hold
printed code and interpreter equal bit for bit.
"""

from __future__ import annotations

HELPERS: dict[str, str] = {
    "array": '''
def array(text, dtype, shape):
    """Decode an array: base64 of zlib-compressed little-endian values."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), np.dtype(dtype).newbyteorder("<")).reshape(shape)
''',
    "wrap": '''
def wrap(x):
    """Keep the low 32 bits, as int32 variables do."""
    return np.asarray(x, np.int64).astype(np.int32).astype(np.int64)
''',
    "high_mul": '''
def high_mul(a, b):
    """a * b / 2**31, rounded half up (gemmlowp SaturatingRoundingDoublingHighMul)."""
    return np.minimum((np.asarray(a, np.int64) * b + (1 << 30)) >> 31, (1 << 31) - 1)
''',
    "rounding_divide": '''
def rounding_divide(x, exponent):
    """x / 2**exponent, rounded half away from zero (gemmlowp RoundingDivideByPOT)."""
    mask = (np.int64(1) << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))
''',
    "requantize": '''
def requantize(x, mantissa, shift):
    """x * mantissa * 2**(shift - 31), rounded twice (MultiplyByQuantizedMultiplier)."""
    left, right = np.maximum(shift, 0), np.maximum(np.negative(shift), 0)
    return rounding_divide(high_mul(wrap(np.asarray(x, np.int64) << left), mantissa), right)
''',
    "rescale": '''
def rescale(x, mantissa, shift):
    """x * mantissa / 2**shift, rounded half away from zero: equal to round(x * m) with LiteRT's float64 m."""
    x = np.asarray(x, np.int64)
    return np.sign(x) * ((np.abs(x) * mantissa + (np.int64(1) << (shift - 1))) >> shift)
''',
    "rescale_wide": '''
def rescale_wide(x, mantissa, shift):
    """x * mantissa / 2**shift, rounded half up, for 64-bit accumulators."""
    return wrap((np.asarray(x, np.int64) * mantissa + (np.int64(1) << (shift - 1))) >> shift)
''',
    "round_shift": '''
def round_shift(x, shift):
    """x / 2**shift, rounded half up."""
    return (x + ((np.int64(1) << shift) >> 1)) >> shift
''',
    "one_over_one_plus_x": '''
def one_over_one_plus_x(a):
    """1 / (1 + a) for a in [0, 1], all with 31 fractional bits (gemmlowp: Newton-Raphson)."""
    half = (a + (1 << 31)) >> 1
    x = 1515870810 + high_mul(half, -1010580540)
    for _ in range(3):
        x = x + np.clip(high_mul(x, (1 << 29) - high_mul(half, x)) << 2, -(1 << 31), (1 << 31) - 1)
    return np.clip(x << 1, -(1 << 31), (1 << 31) - 1)
''',
    "logistic_of": '''
def logistic_of(x):
    """1 / (1 + exp(-x)) in float32; below -9 it is exp(x). The exponential is rounded once."""
    e = np.exp(np.where(x < -9, x, -x).astype(np.float64)).astype(np.float32)
    return np.where(x < -9, e, np.float32(1) / (np.float32(1) + e))
''',
    "gelu_of": '''
def gelu_of(x):
    """GELU with the tanh approximation, in float32; tanh is rounded once."""
    inner = np.float32(0.7978846) * (x + np.float32(0.044715) * x * x * x)
    return np.float32(0.5) * x * (np.float32(1) + np.tanh(inner.astype(np.float64)).astype(np.float32))
''',
    "erfc_of": '''
def erfc_of(x):
    """1 - erf(x): the series of erf near zero, the continued fraction of erfc beyond; rounded once."""
    a = np.minimum(np.abs(x.astype(np.float64)), 27.0)
    near, far = np.minimum(a, 3.0), np.maximum(a, 3.0)
    term = total = near
    for k in range(1, 80):
        term = term * 2.0 * near * near / (2 * k + 1)
        total = total + term
    below = far
    for k in range(60, 0, -1):
        below = far + 0.5 * k / below
    tail = np.where(a < 3.0, 1.0 - 1.1283791670955126 * np.exp(-near * near) * total,
                    0.5641895835477563 * np.exp(-far * far) / below)
    return np.where(x < 0, 2.0 - tail, tail).astype(np.float32)
''',
    "suppress": '''
def suppress(boxes, scores, least, overlap, most):
    """Return at most so many boxes by falling score that do not overlap a better one (non-maximum suppression)."""
    rest = np.flatnonzero(scores >= np.float32(least))
    rest = rest[np.argsort(-scores[rest], kind="stable")]
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = []
    while rest.size and len(kept) < most:
        best, rest = rest[0], rest[1:]
        kept.append(best)
        size = np.minimum(boxes[best, 2:], boxes[rest, 2:]) - np.maximum(boxes[best, :2], boxes[rest, :2])
        common = np.maximum(size[:, 0], 0) * np.maximum(size[:, 1], 0)
        shares = common / (area[best] + area[rest] - common)
        rest = rest[~((shares > np.float32(overlap)) & (area[best] > 0) & (area[rest] > 0))]
    return kept
''',
    "clamp_16": '''
def clamp_16(x):
    """Clamp to int16."""
    return np.clip(x, -32768, 32767)
''',
    "high_mul_16": '''
def high_mul_16(a, b):
    """a * b / 2**15, rounded half up."""
    return np.minimum((a * b + (1 << 14)) >> 15, 32767)
''',
    "exp_16": '''
def exp_16(a, integer_bits):
    """exp(a) for a <= 0 with so many integer bits; 15 fractional bits (gemmlowp exp_on_negative_values)."""
    fraction = 15 - integer_bits
    quarter = 1 << (fraction - 2)
    reduced = (a & (quarter - 1)) - quarter
    x = clamp_16(reduced << integer_bits) + (1 << 12)
    x2 = high_mul_16(x, x)
    x3, x4 = high_mul_16(x2, x), high_mul_16(x2, x2)
    higher = rounding_divide(high_mul_16(rounding_divide(x4, 2) + x3, 10923) + x2, 1)
    result = clamp_16(28918 + high_mul_16(28918, x + higher))
    factors = (25520, 19875, 12055, 4435, 600, 11, 0)  # exp(-(2**k)), k from -2 on
    for k in range(-2, min(integer_bits, 5)):
        result = np.where((reduced - a) >> (fraction + k) & 1, high_mul_16(result, factors[k + 2]), result)
    if integer_bits > 5:
        result = np.where(a < -(1 << (fraction + 5)), 0, result)
    return np.where(a == 0, 32767, result)
''',
    "newton_16": '''
def newton_16(a):
    """2 / (1 + a) with 13 fractional bits, for a in [0, 1] with 15."""
    half = (a + (1 << 15)) >> 1
    x = 23130 + high_mul_16(half, -15420)
    for _ in range(3):
        x = x + clamp_16(high_mul_16(x, (1 << 13) - high_mul_16(half, x)) << 2)
    return x
''',
    "logistic_16": '''
def logistic_16(a):
    """1 / (1 + exp(-a)) for a with 3 integer bits; 15 fractional bits."""
    positive = clamp_16(newton_16(exp_16(-np.abs(a), 3)) << 1)
    return np.where(a == 0, 1 << 14, np.where(a > 0, positive, 32767 - positive))
''',
    "tanh_16": '''
def tanh_16(a, integer_bits):
    """tanh(a) for a with so many integer bits; 15 fractional bits."""
    return np.sign(a) * clamp_16((newton_16(exp_16(-np.abs(a), integer_bits + 1)) - (1 << 13)) << 2)
''',
    "interpolate_16": '''
def interpolate_16(table, x):
    """Look int16 values up in a table of 513: 9 bits of index, 7 bits of linear interpolation."""
    table = table.astype(np.int64)
    low, high = table[256 + (x >> 7)], table[257 + (x >> 7)]
    return low + (((high - low) * (x & 127) + 64) >> 7)
''',
}

#: Helper -> helpers that it calls.
NEEDS: dict[str, tuple[str, ...]] = {
    "requantize": ("wrap", "high_mul", "rounding_divide"),
    "rescale_wide": ("wrap",),
    "one_over_one_plus_x": ("high_mul",),
    "exp_16": ("clamp_16", "high_mul_16", "rounding_divide"),
    "newton_16": ("clamp_16", "high_mul_16"),
    "logistic_16": ("clamp_16", "newton_16", "exp_16"),
    "tanh_16": ("clamp_16", "newton_16", "exp_16"),
}
