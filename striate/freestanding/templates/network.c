/* {{ name }}: a convolutional network from {{ image }} to {{ outputs }} numbers, as C99, made by striate.

   Each function below computes a layer; {{ name }}_run, at the end, calls them in order.
   Axes:
{% for axis, what in axes %}
     {{ axis }}  {{ what }}
{% endfor %}
   An axis that is twice its letter (yy) runs inside a tile: what is summed up at the same time. */
{% if uses_math %}
#include <math.h> /* INFINITY: nothing is called */
{% endif %}
#include <stdint.h>

#include "{{ name }}.h"

/* Products and sums are rounded one by one, but where multiply_add is written. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=off")
#else
#pragma STDC FP_CONTRACT OFF
#endif
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
