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
    loss: Math.fround({{ step.loss }}),
  },
{% endfor %}
];
/** What the network says of the first step's images afterwards. */
export const outputs = Float32Array.of({{ test_outputs }});
