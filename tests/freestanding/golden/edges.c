/* edges: a convolutional network from 4×6×1 to 3 numbers, as C99, made by striate.

   Each function below computes a layer; edges_run, at the end, calls them in order.
   Axes:
     y  rows of what is written
     x  columns of it
     k  its channels: filters
     r  rows of the filter
     s  columns of the filter
     c  channels of what is read, in all columns of the filter if s is missing
     o  outputs of a dense layer
     i  its inputs
     e  elements of a row
   An axis that is twice its letter (yy) runs inside a tile: what is summed up at the same time. */
#include <stdint.h>

#include "edges.h"

#ifdef __GNUC__ /* GCC and clang need no library to tell these. */
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#else
#include <math.h>
#endif

/* Sums are added in the order in which they are written, and each product and each sum is rounded,
   but where multiply_add is written. GCC would exchange loops, and call memset and memcpy. */
#if defined(__clang__) || !defined(__GNUC__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off", "no-tree-loop-distribute-patterns")
#if __GNUC__ >= 8
#pragma GCC optimize("no-loop-interchange", "no-loop-unroll-and-jam")
#endif
#endif
/* In front of loops over less numbers than GCC looks for vectors in, if it is not told. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 8
#define LANES _Pragma("GCC unroll 1")
#else
#define LANES
#endif
#ifdef __cplusplus
#define restrict __restrict
#endif

/* left * right + addend, rounded once where the processor has an instruction for that: then the
   outputs have the same bits as striate's. Another compiler is told of it by EDGES_FMA=fmaf. */
#if !defined(EDGES_FMA) && (defined(__FP_FAST_FMAF) || defined(__FMA__) \
    || defined(__ARM_FEATURE_FMA) || defined(__riscv_flen))
#define EDGES_FMA __builtin_fmaf
#ifdef __clang__ /* which would call fmaf where no system says that this sets no errno */
#if __has_builtin(__builtin_elementwise_fma)
#undef EDGES_FMA
#define EDGES_FMA __builtin_elementwise_fma
#endif
#endif
#endif

static inline float multiply_add(float left, float right, float addend)
{
#ifdef EDGES_FMA
    return EDGES_FMA(left, right, addend);
#else
    return left * right + addend;
#endif
}

/* The larger one; left where one is no number. */
static inline float maximum(float left, float right)
{
    return left < right ? right : left;
}

/* The best so far, or a term that is larger, or no number. */
static inline float larger(float best, float term)
{
    return ((term > best) | (term != term)) ? term : best;
}

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

/* The nearest whole number; of two, the even one. Numbers from 2 to the 23rd on have no fraction. */
static inline float nearest_whole(float x)
{
    const uint32_t sign = bits_of_number(x) & 0x80000000u;
    const float magnitude = number_of_bits(bits_of_number(x) ^ sign);
    const float whole = (magnitude + 8388608.0f) - 8388608.0f;
    return magnitude < 8388608.0f ? number_of_bits(bits_of_number(whole) | sign) : x;
}

/* x as n ln 2 + r: 2 to the power of n, and e to the power of r, less 1. */
static inline float two_to_n(float n)
{
    return number_of_bits((uint32_t)((int32_t)n + 127) << 23);
}

static inline float within_range(float x)
{
    x = x > -87.0f ? x : -87.0f; /* if it is no number, too */
    return x > 88.0f ? 88.0f : x;
}

static inline float exponent_of(float x)
{
    return nearest_whole(x * 1.442695f);
}

static inline float expm1_of_rest(float x, float n)
{
    const float r = multiply_add(n, 0.00021219444f, multiply_add(n, -0.6933594f, x));
    float sum = 0.0001984127f;
    sum = multiply_add(sum, r, 0.0013888889f);
    sum = multiply_add(sum, r, 0.008333334f);
    sum = multiply_add(sum, r, 0.041666668f);
    sum = multiply_add(sum, r, 0.16666667f);
    sum = multiply_add(sum, r, 0.5f);
    sum = multiply_add(sum, r, 1.0f);

    return r * sum;
}

/* e to the power of x, less 1: no digit is lost near zero. */
static inline float exponential_minus_one(float x)
{
    const float inside = within_range(x), n = exponent_of(inside), power = two_to_n(n);
    return x != x ? x : multiply_add(power, expm1_of_rest(inside, n), power - 1.0f);
}

/* What lies around the outputs of input. */
static void input_border(float *restrict out)
{
    for (int e = 0; e < 9; e++)
        out[e] = 0.0f;
    for (int y = 0; y < 3; y++)
        for (int e = 0; e < 2; e++)
            out[8*(y + 1) + e + 7] = 0.0f;
    for (int e = 0; e < 9; e++)
        out[e + 39] = 0.0f;
}

/* The images, standardised, where the first layer reads them. */
static void input_pack(
    float *restrict out,
    const float *restrict raw,
    const float *restrict mean,
    const float *restrict scale)
{
    for (int y = 0; y < 4; y++)
        for (int e = 0; e < 6; e++)
            out[8*(y + 1) + e + 1] = (raw[6*y + e] - mean[e]) * scale[e];
}

/* conv2d_1: Conv2D(2, (3, 3), padding=1), 4×6×1 to 4×6×2. */
static void conv2d_1_forward(
    const float *restrict in,
    const float *restrict filters,
    const float *restrict bias,
    float *restrict out)
{
    for (int x = 0; x < 6; x += 3) {
        float sum[4][3][2];
        for (int y = 0; y < 4; y++)
            for (int xx = 0; xx < 3; xx++)
                LANES for (int k = 0; k < 2; k++)
                    sum[y][xx][k] = bias[k];
        for (int r = 0; r < 3; r++)
            for (int s = 0; s < 3; s++)
                for (int y = 0; y < 4; y++)
                    for (int xx = 0; xx < 3; xx++)
                        LANES for (int k = 0; k < 2; k++)
                            sum[y][xx][k] = multiply_add(
                                in[8*(y + r) + x + xx + s], filters[6*r + 2*s + k], sum[y][xx][k]);
        for (int y = 0; y < 4; y++)
            for (int xx = 0; xx < 3; xx++)
                LANES for (int k = 0; k < 2; k++)
                    out[12*y + 2*(x + xx) + k] = sum[y][xx][k];
    }
}

/* max_pool2d_1: MaxPool2D((2, 2), stride=(2, 2)), 4×6×2 to 2×3×2. */
static void max_pool2d_1_forward(const float *restrict in, float *restrict out)
{
    float best[2][3][2];
    for (int y = 0; y < 2; y++)
        for (int x = 0; x < 3; x++)
            LANES for (int c = 0; c < 2; c++)
                best[y][x][c] = -INFINITY;
    for (int r = 0; r < 2; r++)
        for (int s = 0; s < 2; s++)
            for (int y = 0; y < 2; y++)
                for (int x = 0; x < 3; x++)
                    LANES for (int c = 0; c < 2; c++)
                        best[y][x][c] = larger(best[y][x][c], in[12*(2*y + r) + 2*(2*x + s) + c]);
    for (int y = 0; y < 2; y++)
        for (int x = 0; x < 3; x++)
            LANES for (int c = 0; c < 2; c++)
                out[6*y + 2*x + c] = maximum(best[y][x][c], 0.0f);
}

/* dense_1: Dense(3), 12 to 3. */
static void dense_1_forward(
    const float *restrict in,
    const float *restrict weights,
    const float *restrict bias,
    float *restrict out)
{
    float sum[3];
    LANES for (int o = 0; o < 3; o++)
        sum[o] = bias[o];
    for (int i = 0; i < 12; i++)
        LANES for (int o = 0; o < 3; o++)
            sum[o] = multiply_add(in[i], weights[3*i + o], sum[o]);
    LANES for (int o = 0; o < 3; o++) {
        const float t0 = exponential_minus_one(sum[o] + sum[o]);
        out[o] = t0 / (t0 + 2.0f);
    }
}

/* What the last layer says, where the caller reads it. */
static void output_unpack(float *restrict out, const float *restrict in)
{
    for (int c = 0; c < 3; c++)
        out[c] = in[c];
}

static const float input_mean[6] = {
    0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f
};

static const float input_scale[6] = {
    1.0f, 1.0f, 1.0f, 1.0f, 1.0f, 1.0f
};

static const float conv2d_1_filters[18] = {
    -0.25f, -0.125f, 0.0f, 0.125f, 0.25f, -0.25f, -0.125f, 0.0f, 0.125f, 0.25f, -0.25f, -0.125f,
    0.0f, 0.125f, 0.25f, -0.25f, -0.125f, 0.0f
};

static const float conv2d_1_bias[2] = {
    -0.5f, -0.25f
};

static const float dense_1_weights[36] = {
    -0.25f, -0.125f, 0.0f, 0.125f, 0.25f, -0.25f, -0.125f, 0.0f, 0.125f, 0.25f, -0.25f, -0.125f,
    0.0f, 0.125f, 0.25f, -0.25f, -0.125f, 0.0f, 0.125f, 0.25f, -0.25f, -0.125f, 0.0f, 0.125f, 0.25f,
    -0.25f, -0.125f, 0.0f, 0.125f, 0.25f, -0.25f, -0.125f, 0.0f, 0.125f, 0.25f, -0.25f
};

static const float dense_1_bias[3] = {
    -0.5f, -0.25f, 0.0f
};

void edges_run(const float *images, float *outputs, void *arena)
{
    unsigned char *const memory = (unsigned char *)arena;
    float *const input_out = (float *)(memory + 256);
    float *const conv2d_1_out = (float *)(memory + 0);
    float *const max_pool2d_1_out = (float *)(memory + 256);
    float *const dense_1_out = (float *)(memory + 0);

    input_border(input_out);
    input_pack(input_out, images, input_mean, input_scale);
    conv2d_1_forward(input_out, conv2d_1_filters, conv2d_1_bias, conv2d_1_out);
    max_pool2d_1_forward(conv2d_1_out, max_pool2d_1_out);
    dense_1_forward(max_pool2d_1_out, dense_1_weights, dense_1_bias, dense_1_out);
    output_unpack(outputs, dense_1_out);
}
