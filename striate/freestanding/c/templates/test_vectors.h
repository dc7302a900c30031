/* Images, and what {{ name }} says of them. */
#define {{ upper }}_TESTS {{ images | length }}
static const float {{ name }}_test_images[{{ images | length }}][{{ batch * image_numbers }}] = {
{% for row in images %}
    { {{- row -}} },
{% endfor %}
};
static const float {{ name }}_test_outputs[{{ images | length }}][{{ batch * output_numbers }}] = {
{% for row in expected %}
    { {{- row -}} },
{% endfor %}
};
