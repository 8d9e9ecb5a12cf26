# SPDX-License-Identifier: Apache-2.0
"""Fixed-point arithmetic in C, as text: what the functions of generated code call."""

from __future__ import annotations

from tflite2x.export import c_detection_kernels, c_float_helpers, c_lstm_kernels

HELPERS: dict[str, str] = {
    "clamp": """
static int32_t clamp(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}
""",
    "high_mul": """
/* a * b / 2^31, rounded half up (gemmlowp SaturatingRoundingDoublingHighMul). */
static int32_t high_mul(int32_t a, int32_t b)
{
    int64_t product = ((int64_t)a * b + (1 << 30)) >> 31;
    return product > INT32_MAX ? INT32_MAX : (int32_t)product;
}
""",
    "rounding_divide": """
/* x / 2^exponent, rounded half away from zero (gemmlowp RoundingDivideByPOT). */
static int32_t rounding_divide(int32_t x, int32_t exponent)
{
    int64_t half = ((int64_t)1 << exponent) >> 1;
    return (int32_t)(x < 0 ? -((-(int64_t)x + half) >> exponent) : ((int64_t)x + half) >> exponent);
}
""",
    "requantize": """
/* x * mantissa * 2^(shift - 31), rounded twice (MultiplyByQuantizedMultiplier). */
static int32_t requantize(int32_t x, int32_t mantissa, int32_t shift)
{
    int32_t left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
    return rounding_divide(high_mul((int32_t)((uint32_t)x << left), mantissa), right);
}
""",
    "rescale": """
/* x * mantissa / 2^shift, rounded half away from zero: equal to LiteRT's round(x * m) with a float64 m. */
static int32_t rescale(int32_t x, int64_t mantissa, int32_t shift)
{
    int64_t half = (int64_t)1 << (shift - 1);
    return (int32_t)(x < 0 ? -((-(int64_t)x * mantissa + half) >> shift) : ((int64_t)x * mantissa + half) >> shift);
}
""",
    "rescale_wide": """
/* x * mantissa / 2^shift, rounded half up. */
static int32_t rescale_wide(int64_t x, int32_t mantissa, int32_t shift)
{
    return (int32_t)((x * mantissa + ((int64_t)1 << (shift - 1))) >> shift);
}
""",
    "round_shift": """
/* x / 2^shift, rounded half up. */
static int64_t round_shift(int64_t x, int32_t shift)
{
    return (x + (((int64_t)1 << shift) >> 1)) >> shift;
}
""",
    "saturating_double": """
/* x * 2^bits, saturated. */
static int32_t saturating_double(int32_t x, int32_t bits)
{
    int64_t wide = (int64_t)x * ((int64_t)1 << bits);
    return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : (int32_t)wide;
}
""",
    "one_over_one_plus_x": """
/* 1 / (1 + a) for a in [0, 1], all with 31 fractional bits (gemmlowp: Newton-Raphson). */
static int32_t one_over_one_plus_x(int32_t a)
{
    int32_t half = (int32_t)(((int64_t)a + ((int64_t)1 << 31)) >> 1);
    int32_t x = 1515870810 + high_mul(half, -1010580540);
    for (int i = 0; i < 3; i++) {
        x += saturating_double(high_mul(x, (1 << 29) - high_mul(half, x)), 2);
    }
    return saturating_double(x, 1);
}
""",
    "interpolate_16": """
/* An int16 value in a table of 513: 9 bits of index, 7 bits of linear interpolation. */
static int32_t interpolate_16(const int16_t *table, int32_t x)
{
    const int16_t *entry = table + 256 + (x >> 7);
    return entry[0] + (((entry[1] - entry[0]) * (x & 127) + 64) >> 7);
}
""",
    **c_float_helpers.HELPERS,
    **c_detection_kernels.HELPERS,
    **c_lstm_kernels.HELPERS,
}

NEEDS: dict[str, tuple[str, ...]] = {
    "requantize": ("high_mul", "rounding_divide"),
    "one_over_one_plus_x": ("high_mul", "saturating_double"),
    **c_float_helpers.NEEDS,
    **c_lstm_kernels.NEEDS,
}
