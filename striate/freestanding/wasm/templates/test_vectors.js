/** Runs of {{ name }}: images, and what it says of them. */
export const runs = [
{% for images, outputs in runs %}
  {
    images: Float32Array.of({{ images }}),
    outputs: Float32Array.of({{ outputs }}),
  },
{% endfor %}
];
