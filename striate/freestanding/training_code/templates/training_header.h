/* {{ name }}: a convolutional network that goes on learning, as code for {{ target }}, made by striate. */
#ifndef {{ upper }}_H
#define {{ upper }}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Images of a step at most, and of a run; numbers of one: {{ image }}, row by row, channels last. */
#define {{ upper }}_BATCH {{ batch }}
#define {{ upper }}_IMAGE {{ image_numbers }}
/* Numbers that it says of an image. */
#define {{ upper }}_OUTPUTS {{ outputs }}
/* Bytes of the state: what has been learned. Keep it, or save it and go on another day. */
#define {{ upper }}_STATE_BYTES {{ state_bytes }}
/* Bytes that a call works on; what is in them before and after is of no use. */
#define {{ upper }}_ARENA_BYTES {{ arena_bytes }}
/* Both begin at a multiple of so many bytes. */
#define {{ upper }}_ALIGNMENT {{ alignment }}

/* Writes the state that everything begins with: the weights as they were exported. */
void {{ name }}_begin(void *state);

/* Learns from 1 to BATCH raw images by one step, and returns their mean loss before it; nothing is
   learned where that is infinite or no number. {% if labels %}`labels` are numbers of classes, 0 to OUTPUTS - 1.
{%- else %}`targets` are what the outputs should be, OUTPUTS numbers for
   each image.{% endif %}{% if keys %}
   `keys` are random numbers, one for each image, by which values are dropped.{% endif %} */
float {{ name }}_train(const float *images, {% if labels %}const int32_t *labels{% else %}const float *targets{% endif %},{% if keys %} const uint32_t *keys,{% endif %} int32_t count,
    double learning_rate, void *state, void *arena);

/* Reads BATCH raw images, and writes what the network says of each by now{% if labels %} (logits: the largest is
   the likeliest){% endif %}. */
void {{ name }}_run(const float *images, float *outputs, const void *state, void *arena);
{% if classes %}

/* What each output is of. */
static const char *const {{ name }}_classes[] = { {{- classes | join(", ") -}} };
{% endif %}

#ifdef __cplusplus
}
#endif

#endif
