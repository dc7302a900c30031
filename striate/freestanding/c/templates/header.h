/* {{ name }}: a convolutional network as code for {{ target }}, made by striate. */
#ifndef {{ upper }}_H
#define {{ upper }}_H

#ifdef __cplusplus
extern "C" {
#endif

/* Images of a run, and numbers of one: {{ image }}, row by row, channels last. */
#define {{ upper }}_BATCH {{ batch }}
#define {{ upper }}_IMAGE {{ image_numbers }}
/* Numbers that it says of an image: {{ outputs }}. */
#define {{ upper }}_OUTPUTS {{ output_numbers }}
/* Bytes that a run works on, aligned to so many; what is in them before and after is of no use. */
#define {{ upper }}_ARENA_BYTES {{ arena_bytes }}
#define {{ upper }}_ARENA_ALIGNMENT {{ alignment }}

/* Reads BATCH raw images, as they were trained on, and writes the outputs of each (logits: the
   largest is the likeliest). Calls {% if helpers %}the compiler's own helpers only{% else %}nothing{% endif %}, allocates nothing, keeps nothing.
{%- if helpers %}

   These helpers, for floats without a unit for them, are in libgcc and compiler-rt:
{% for helper in helpers %}
     {{ helper }}
{% endfor %}
{%- else %} {% endif %}*/
void {{ name }}_run(const float *images, float *outputs, void *arena);
{% if classes %}

/* What each output is of. */
static const char *const {{ name }}_classes[] = { {{- classes | join(", ") -}} };
{% endif %}

#ifdef __cplusplus
}
#endif

#endif
