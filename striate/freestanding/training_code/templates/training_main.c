/* Trains {{ name }} by a few steps; ends with 0 if it learns what it should. */
#include <stdio.h>
#include <string.h>

#include "{{ name }}.h"
#include "{{ name }}_test_vectors.h"

static unsigned char state[{{ upper }}_STATE_BYTES]
    __attribute__((aligned({{ upper }}_ALIGNMENT)));
static unsigned char arena[{{ upper }}_ARENA_BYTES]
    __attribute__((aligned({{ upper }}_ALIGNMENT)));
static float outputs[{{ upper }}_BATCH * {{ upper }}_OUTPUTS];

static float size_of(float number)
{
    return number < 0 ? -number : number;
}

int main(void)
{
    float largest = 0.0f, farthest = 0.0f;
    int same = 0, wrong = 0;
    {{ name }}_begin(state);
    for (int i = 0; i < {{ upper }}_STEPS; i++) {
        float expected = {{ name }}_test_losses[i];
        float loss = {{ name }}_train({{ name }}_test_images[i], {{ name }}_test_{% if labels %}labels{% else %}targets{% endif %}[i],
{% if keys %}
            {{ name }}_test_keys[i],
{% endif %}
            {{ name }}_test_counts[i], {{ upper }}_RATE, state, arena);
        same += memcmp(&loss, &expected, sizeof loss) == 0;
        wrong += !(size_of(loss - expected) <= 1e-4f * size_of(expected));
        printf("step %d: loss %g\n", i + 1, (double)loss);
    }
    {{ name }}_run({{ name }}_test_images[0], outputs, state, arena);
    for (int k = 0; k < {{ upper }}_BATCH * {{ upper }}_OUTPUTS; k++) {
        float expected = {{ name }}_test_outputs[k], distance = size_of(outputs[k] - expected);
        largest = size_of(expected) > largest ? size_of(expected) : largest;
        farthest = distance > farthest ? distance : farthest;
    }
    printf("same bits in %d of %d losses, %s outputs; farthest %g, of outputs up to %g\n", same,
           {{ upper }}_STEPS,
           memcmp(outputs, {{ name }}_test_outputs, sizeof outputs) == 0 ? "and in" : "but not in",
           (double)farthest, (double)largest);
    return wrong == 0 && farthest <= 1e-4f * largest ? 0 : 1;
}
