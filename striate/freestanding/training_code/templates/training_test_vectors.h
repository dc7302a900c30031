/* Steps of training, and what {{ name }} finds in them. */
#define {{ upper }}_STEPS {{ counts | length }}
#define {{ upper }}_RATE {{ rate }}
static const int32_t {{ name }}_test_counts[{{ counts | length }}] = { {{- counts | join(", ") -}} };
static const float {{ name }}_test_images[{{ counts | length }}][{{ batch * image_numbers }}] = {
{% for row in test_images %}
    { {{- row -}} },
{% endfor %}
};
{% if labels %}
static const int32_t {{ name }}_test_labels[{{ counts | length }}][{{ batch }}] = {
{% else %}
static const float {{ name }}_test_targets[{{ counts | length }}][{{ batch * outputs }}] = {
{% endif %}
{% for row in test_targets %}
    { {{- row -}} },
{% endfor %}
};
{% if keys %}
static const uint32_t {{ name }}_test_keys[{{ counts | length }}][{{ batch }}] = {
{% for row in test_keys %}
    { {{- row -}} },
{% endfor %}
};
{% endif %}
/* The loss of each step, and what the network says of the first step's images afterwards. */
static const float {{ name }}_test_losses[{{ counts | length }}] = { {{- test_losses | join(", ") -}} };
static const float {{ name }}_test_outputs[{{ batch * outputs }}] = { {{- test_outputs -}} };
