// Trains {{ name }} by a few steps; ends with 0 if it learns what it should: node example.mjs
import { load } from "./{{ name }}.js";
import { found, learningRate, steps } from "./{{ name }}_test_vectors.js";

const network = await load();
const { losses, outputs: expected } = network.roundsOnce ? found.once : found.twice;
const [height, width, channels] = network.inputShape;
const numbers = height * width * channels;
let farthest = 0;
for (const [step, { count, images, {{ "labels" if training.takes_labels else "targets" }}{{ ", keys" if training.takes_keys }} }] of steps.entries()) {
  const each = {{ "labels" if training.takes_labels else "targets" }}.length / (images.length / numbers);
  const loss = network.train(
    images.subarray(0, count * numbers),
    {{ "labels" if training.takes_labels else "targets" }}.slice(0, count * each),
    learningRate,
{% if training.takes_keys %}
    keys.subarray(0, count),
{% endif %}
  );
  const wanted = losses[step];
  farthest = Math.abs(loss - wanted) <= farthest * wanted ? farthest : Math.abs(loss / wanted - 1);
  console.log(`loss ${loss}`);
}
const outputs = network.run(steps[0].images);
const largest = expected.reduce((most, output) => Math.max(most, Math.abs(output)), 0);
for (const [i, output] of outputs.entries()) {
  const distance = Math.abs(output - expected[i]) / largest;
  farthest = distance <= farthest ? farthest : distance; // which keeps NaN
}
console.log(`farthest from what striate finds: ${farthest} of the largest`);
process.exitCode = farthest <= 1e-4 ? 0 : 1;
