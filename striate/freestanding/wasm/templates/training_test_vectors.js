/** Steps of training of {{ name }}, and what it finds in them. */
export const learningRate = {{ rate }};
export const steps = [
{% for step in steps %}
  {
    count: {{ step.count }},
    images: Float32Array.of({{ step.images }}),
    {{ "labels" if training.takes_labels else "targets" }}: [{{ step.targets }}],
{% if training.takes_keys %}
    keys: Uint32Array.of({{ step.random }}),
{% endif %}
  },
{% endfor %}
];
/**
 * The loss of each step, and what the network says of the first one's images afterwards, where
 * multiply-adds are rounded once, and twice.
 */
export const found = {
{% for rounded, one in found.items() %}
  {{ rounded }}: {
    losses: Float32Array.of({{ one.losses }}),
    outputs: Float32Array.of({{ one.outputs }}),
  },
{% endfor %}
};
