# SPDX-License-Identifier: Apache-2.0
"""Functions of real numbers in C, as text: computed in double and rounded to float once, without math.h.

Their results are those of a correctly rounding library but for about one argument in 10^7: the errors of the double
arithmetic are below 10^-14.
"""

from __future__ import annotations

HELPERS: dict[str, str] = {
    "limit": """
static float limit(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}
""",
    "to_float": """
/* Round to float; what is too large becomes an infinity. */
static float to_float(double x)
{
    return x >= 0x1.ffffffp127 ? 1.0f / 0.0f : x <= -0x1.ffffffp127 ? -1.0f / 0.0f : (float)x;
}
""",
    "power_of_two": """
static double power_of_two(int32_t n)
{
    union { uint64_t bits; double value; } u;
    u.bits = (uint64_t)(n + 1023) << 52;
    return u.value;
}
""",
    "exp_of": """
/* e^x = 2^n * e^r with |r| <= log(2) / 2, and the series of e^r. */
static double exp_of(double x)
{
    if (x > 709.0 || x < -709.0 || x != x) {
        return x > 709.0 ? 1.0 / 0.0 : x < -709.0 ? 0.0 : x;
    }
    const int32_t n = (int32_t)(x * 1.4426950408889634 + (x < 0.0 ? -0.5 : 0.5));
    const double r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
    double sum = 1.0;
    for (int k = 14; k > 0; k--) {
        sum = 1.0 + r * sum / k;
    }
    return sum * power_of_two(n);
}
""",
    "exp_minus_1": """
/* e^x - 1 for x <= 0, also near zero. */
static double exp_minus_1(double x)
{
    if (x < -0.01) {
        return exp_of(x) - 1.0;
    }
    double sum = 1.0;
    for (int k = 7; k > 1; k--) {
        sum = 1.0 + x * sum / k;
    }
    return x * sum;
}
""",
    "log_of": """
/* log(m * 2^n) = n * log(2) + 2 * artanh((m - 1) / (m + 1)) with m in [sqrt(1/2), sqrt(2)). */
static double log_of(double x)
{
    if (!(x > 0.0) || x > 1e300) {
        return x > 1e300 ? x : x == 0.0 ? -1.0 / 0.0 : 0.0 / 0.0;
    }
    union { uint64_t bits; double value; } u;
    u.value = x;
    int32_t n = (int32_t)(u.bits >> 52) - 1022;
    u.bits = (u.bits & 0xFFFFFFFFFFFFFu) | ((uint64_t)1022 << 52);
    double m = u.value;
    if (m < 0.7071067811865476) {
        m *= 2.0;
        n--;
    }
    const double s = (m - 1.0) / (m + 1.0);
    double sum = 0.0;
    for (int k = 23; k > 0; k -= 2) {
        sum = sum * s * s + 1.0 / k;
    }
    return n * 0.6931471805599453 + 2.0 * s * sum;
}
""",
    "sqrt_of": """
/* Newton's method from half of the exponent; rounded to float it is exact. */
static float sqrt_of(float x)
{
    if (!(x > 0.0f) || x > 3.4028234663852886e38f) {
        return x < 0.0f ? 0.0f / 0.0f : x;
    }
    union { uint64_t bits; double value; } u;
    u.value = x;
    u.bits = (u.bits >> 1) + ((uint64_t)1023 << 51);
    double root = u.value;
    for (int k = 0; k < 6; k++) {
        root = 0.5 * (root + x / root);
    }
    return (float)root;
}
""",
    "tanh_of": """
static double tanh_of(double x)
{
    const double a = x < 0.0 ? -x : x;
    if (a < 0.0078125) {
        return x - x * x * x / 3.0 + 2.0 * x * x * x * x * x / 15.0;
    }
    if (a > 20.0) {
        return x < 0.0 ? -1.0 : 1.0;
    }
    const double e = exp_of(2.0 * a), t = (e - 1.0) / (e + 1.0);
    return x < 0.0 ? -t : t;
}
""",
    "erfc_of": """
/* 1 - erf(x): the series of erf near zero, the continued fraction of erfc beyond. */
static double erfc_of(double x)
{
    const double a = x < 0.0 ? -x : x;
    double tail;
    if (a > 26.0) {
        tail = 0.0;
    } else if (a < 3.0) {
        double term = a, sum = a;
        for (int k = 1; k < 80; k++) {
            term *= 2.0 * a * a / (2 * k + 1);
            sum += term;
        }
        tail = 1.0 - 1.1283791670955126 * exp_of(-a * a) * sum;
    } else {
        double below = a;
        for (int k = 60; k > 0; k--) {
            below = a + 0.5 * k / below;
        }
        tail = 0.5641895835477563 * exp_of(-a * a) / below;
    }
    return x < 0.0 ? 2.0 - tail : x == x ? tail : x;
}
""",
    "pow_of": """
static double pow_of(double x, double y)
{
    if (x == 1.0 || y == 0.0) {
        return 1.0;
    }
    if (x != x || y != y) {
        return x + y;
    }
    const double a = x < 0.0 ? -x : x, size = y < 0.0 ? -y : y;
    const int whole = size >= 9007199254740992.0 || size == (double)(int64_t)size;
    const int odd = size < 9007199254740992.0 && whole && ((int64_t)size & 1) != 0;
    if (x < 0.0 && !whole) {
        return 0.0 / 0.0;
    }
    double result = a == 0.0 ? (y < 0.0 ? 1.0 / 0.0 : 0.0) : a == 1.0 ? 1.0 : exp_of(y * log_of(a));
    return x < 0.0 && odd ? -result : result;
}
""",
    "whole_of": """
/* The nearest whole number towards zero, of |x| < 2^23. */
static float whole_of(float x)
{
    return (float)(int32_t)x;
}
""",
    "floor_of": """
static float floor_of(float x)
{
    if (!(x > -8388608.0f && x < 8388608.0f)) {
        return x;
    }
    return whole_of(x) > x ? whole_of(x) - 1.0f : whole_of(x);
}
""",
    "round_of": """
/* Halves to even. */
static float round_of(float x)
{
    if (!(x > -8388608.0f && x < 8388608.0f)) {
        return x;
    }
    const float whole = whole_of(x), rest = x - whole;
    if (rest > 0.5f || (rest == 0.5f && ((int32_t)whole & 1) != 0)) {
        return whole + 1.0f;
    }
    return rest < -0.5f || (rest == -0.5f && ((int32_t)whole & 1) != 0) ? whole - 1.0f : whole;
}
""",
    "logistic_of": """
static float logistic_of(float x)
{
    if (x < -9.0f) {
        return to_float(exp_of(x));
    }
    return 1.0f / (1.0f + to_float(exp_of(-x)));
}
""",
}

NEEDS: dict[str, tuple[str, ...]] = {
    "exp_of": ("power_of_two",),
    "exp_minus_1": ("exp_of",),
    "tanh_of": ("exp_of",),
    "erfc_of": ("exp_of",),
    "pow_of": ("exp_of", "log_of"),
    "floor_of": ("whole_of",),
    "round_of": ("whole_of",),
    "logistic_of": ("exp_of", "to_float"),
}
