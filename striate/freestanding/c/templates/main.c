/* Runs {{ name }} on its test vectors; ends with 0 if the outputs are right. */
#include <stdio.h>
#include <string.h>

#include "{{ name }}.h"
#include "{{ name }}_test_vectors.h"

static unsigned char arena[{{ upper }}_ARENA_BYTES]
    __attribute__((aligned({{ upper }}_ARENA_ALIGNMENT)));
static float outputs[{{ upper }}_BATCH * {{ upper }}_OUTPUTS];

int main(void)
{
    float largest = 0.0f, farthest = 0.0f;
    int same = 0;
    for (int i = 0; i < {{ upper }}_TESTS; i++) {
        {{ name }}_run({{ name }}_test_images[i], outputs, arena);
        same += memcmp(outputs, {{ name }}_test_outputs[i], sizeof outputs) == 0;
        for (int k = 0; k < {{ upper }}_BATCH * {{ upper }}_OUTPUTS; k++) {
            float expected = {{ name }}_test_outputs[i][k], distance = outputs[k] - expected;
            expected = expected < 0 ? -expected : expected;
            distance = distance < 0 ? -distance : distance;
            largest = expected > largest ? expected : largest;
            farthest = distance > farthest ? distance : farthest;
        }
    }
    printf("same bits in %d of %d runs; farthest %g, of outputs up to %g\n", same, {{ upper }}_TESTS,
           (double)farthest, (double)largest);
    return farthest <= 1e-5f * largest ? 0 : 1;
}
