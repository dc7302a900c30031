/* {{ name }}: a convolutional network from {{ image }} to {{ outputs }} numbers, as C99, made by striate.

   Each function below computes a layer; {{ name }}_run, at the end, calls them in order.
   Axes:
{% for axis, what in axes %}
     {{ axis }}  {{ what }}
{% endfor %}
   An axis that is twice its letter (yy) runs inside a tile: what is summed up at the same time. */
#include <stdint.h>

#include "{{ name }}.h"

{% if "math.h" in used %}
#ifdef __GNUC__ /* GCC and clang need no library to tell these. */
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#else
#include <math.h>
#endif
{% endif %}

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
{% if "LANES" in used %}
/* In front of loops over less numbers than GCC looks for vectors in, if it is not told. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 8
#define LANES _Pragma("GCC unroll 1")
#else
#define LANES
#endif
{% endif %}
#ifdef __cplusplus
#define restrict __restrict
#endif

{{ functions }}
{%- for comment, text in layers %}
/* {{ comment }} */
{{ text }}

{% endfor %}
{% for array in arrays %}
{{ array }}

{% endfor %}
void {{ name }}_run(const float *images, float *outputs, void *arena)
{
{% for line in lines %}
{{ line }}
{% endfor %}
}
