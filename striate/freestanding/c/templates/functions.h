{# What the loops call, as far as a network needs it: to the bit as in striate/nest/functions.py. -#}
{% macro polynomial(coefficients, x) %}
    float sum = {{ coefficients[-1] | c_float }};
{% for coefficient in coefficients[:-1] | reverse %}
    sum = multiply_add(sum, {{ x }}, {{ coefficient | c_float }});
{% endfor %}
{% endmacro %}
{% if "multiply_add" in used %}
/* left * right + addend, rounded once where the processor has an instruction for that: then the
   outputs have the same bits as striate's. Another compiler is told of it by {{ upper }}_FMA=fmaf. */
#if !defined({{ upper }}_FMA) && (defined(__FP_FAST_FMAF) || defined(__FMA__) \
    || defined(__ARM_FEATURE_FMA) || defined(__riscv_flen))
#define {{ upper }}_FMA __builtin_fmaf
#ifdef __clang__ /* which would call fmaf where no system says that this sets no errno */
#if __has_builtin(__builtin_elementwise_fma)
#undef {{ upper }}_FMA
#define {{ upper }}_FMA __builtin_elementwise_fma
#endif
#endif
#endif

static inline float multiply_add(float left, float right, float addend)
{
#ifdef {{ upper }}_FMA
    return {{ upper }}_FMA(left, right, addend);
#else
    return left * right + addend;
#endif
}

{% endif %}
{% if "maximum" in used %}
/* The larger one; left where one is no number. */
static inline float maximum(float left, float right)
{
    return left < right ? right : left;
}

{% endif %}
{% if "minimum" in used %}
/* The smaller one; left where one is no number. */
static inline float minimum(float left, float right)
{
    return left > right ? right : left;
}

{% endif %}
{% if "larger" in used %}
/* The best so far, or a term that is larger, or no number. */
static inline float larger(float best, float term)
{
    return ((term > best) | (term != term)) ? term : best;
}

{% endif %}
{% if "wins" in used %}
/* Whether a term is larger than the best so far, or no number. */
static inline int wins(float term, float best)
{
    return (term > best) | (term != term);
}

{% endif %}
{% if "sum_of_lanes" in used %}
/* The sum of so many numbers, a power of 2: neighbours first, then their sums, and so on. */
static inline float sum_of_lanes(float *lanes, int count)
{
    for (int step = 1; step < count; step *= 2)
        for (int i = 0; i < count; i += 2 * step)
            lanes[i] += lanes[i + step];
    return lanes[0];
}

{% endif %}
{% if "number_of_bits" in used %}
/* The number that some bits stand for, and the bits of a number. */
static inline float number_of_bits(uint32_t bits)
{
    union { uint32_t bits; float number; } both;
    both.bits = bits;
    return both.number;
}

static inline uint32_t bits_of_number(float number)
{
    union { uint32_t bits; float number; } both;
    both.number = number;
    return both.bits;
}

{% endif %}
{% if "square_root" in used %}
/* The square root, rounded to nearest: of the mantissa as a whole number, bit by bit. Where the
   processor has an instruction, -fno-math-errno -D{{ upper }}_SQRT=__builtin_sqrtf is faster. */
static inline float square_root(float x)
{
#ifdef {{ upper }}_SQRT
    return {{ upper }}_SQRT(x);
#else
    const int subnormal = x < {{ least_normal | c_float }};
    const uint32_t bits = bits_of_number(subnormal ? x * 16777216.0f : x);
    const int exponent = (int)(bits >> 23) - (subnormal ? 24 : 0), odd = exponent & 1;
    const uint64_t square = (uint64_t)((bits & 0x7fffffu) | 0x800000u) << (odd ? 23 : 24);
    uint64_t root = 0;
    if (!(x > 0.0f) || exponent == 255)
        return x < 0.0f ? number_of_bits(0x7fc00000u) : x;
    for (uint64_t bit = 0x800000u; bit; bit >>= 1)
        if ((root | bit) * (root | bit) <= square)
            root |= bit;
    root += square - root * root > root;
    return number_of_bits(((uint32_t)root & 0x7fffffu) | (uint32_t)(exponent + 126 + odd) / 2 << 23);
#endif
}

{% endif %}
{% if "nearest_whole" in used %}
/* The nearest whole number; of two, the even one. Numbers from 2 to the 23rd on have no fraction. */
static inline float nearest_whole(float x)
{
    const uint32_t sign = bits_of_number(x) & 0x80000000u;
    const float magnitude = number_of_bits(bits_of_number(x) ^ sign);
    const float whole = (magnitude + 8388608.0f) - 8388608.0f;
    return magnitude < 8388608.0f ? number_of_bits(bits_of_number(whole) | sign) : x;
}

{% endif %}
{% if "exponent_of" in used %}
/* x as n ln 2 + r: 2 to the power of n, and e to the power of r, less 1. */
static inline float two_to_n(float n)
{
    return number_of_bits((uint32_t)((int32_t)n + 127) << 23);
}

static inline float within_range(float x)
{
    x = x > {{ exp_range[0] | c_float }} ? x : {{ exp_range[0] | c_float }}; /* if it is no number, too */
    return x > {{ exp_range[1] | c_float }} ? {{ exp_range[1] | c_float }} : x;
}

static inline float exponent_of(float x)
{
    return nearest_whole(x * {{ log2_e | c_float }});
}

static inline float expm1_of_rest(float x, float n)
{
    const float r = multiply_add(n, {{ (-ln2[1]) | c_float }}, multiply_add(n, {{ (-ln2[0]) | c_float }}, x));
{{ polynomial(exp_series, "r") }}
    return r * sum;
}

{% endif %}
{% if "exponential" in used %}
/* e to the power of x, which saturates near the ends of the range. */
static inline float exponential(float x)
{
    const float inside = within_range(x), n = exponent_of(inside), power = two_to_n(n);
    return x != x ? x : multiply_add(power, expm1_of_rest(inside, n), power);
}

{% endif %}
{% if "exponential_minus_one" in used %}
/* e to the power of x, less 1: no digit is lost near zero. */
static inline float exponential_minus_one(float x)
{
    const float inside = within_range(x), n = exponent_of(inside), power = two_to_n(n);
    return x != x ? x : multiply_add(power, expm1_of_rest(inside, n), power - 1.0f);
}

{% endif %}
{% if "logarithm" in used %}
/* The natural logarithm of a positive normal number: x = 2 to the power of n times m,
   log m = 2 artanh((m - 1) / (m + 1)), with m between the roots of 1/2 and of 2. */
static inline float logarithm(float x)
{
    const uint32_t bits = bits_of_number(x), shifted = bits - {{ root_bits }}u;
    const uint32_t sign = shifted >> 31 ? 0xfffffe00u : 0u, whole = shifted >> 23 | sign;
    const float m = number_of_bits(bits - (whole << 23));
    const float n = (float)(int32_t)whole;
    const float f = (m - 1.0f) / (m + 1.0f), square = f * f;
{{ polynomial(log_series, "square") }}
    sum = multiply_add(n, {{ ln2[1] | c_float }}, f * sum);
    return x != x ? x : multiply_add(n, {{ ln2[0] | c_float }}, sum);
}

{% endif %}
{% if "mills_ratio" in used %}
/* Mills' ratio of a number that is not negative: by it, times the density of the standard normal
   distribution, one finds how probable larger numbers are. */
static inline float mills_ratio(float x)
{
    const float t = {{ mills_shift | c_float }} / (x + {{ mills_shift | c_float }}), centred = t + t - 1.0f;
{{ polynomial(mills_series, "centred") }}
    return t * sum;
}

{% endif %}
{% if "keep" in used %}
/* 1 where hashed bits of (key, index, salt) reach a threshold, else 0. */
static inline float keep(uint32_t key, uint32_t index, uint32_t salt, uint32_t threshold)
{
    uint32_t h = key ^ (index * 0x9e3779b9u + salt * 0x85ebca6bu);
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return (h ^ h >> 16) >= threshold ? 1.0f : 0.0f;
}

{% endif %}
