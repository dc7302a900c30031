// Runs {{ name }} on its test vectors; ends with 0 if the outputs are right: node example.mjs
import { load } from "./{{ name }}.js";
import { runs } from "./{{ name }}_test_vectors.js";

const network = await load();
let same = 0;
let farthest = 0;
let largest = 0;
for (const { images, outputs: expected } of runs) {
  const outputs = network.run(images);
  same += outputs.every((output, i) => Object.is(output, expected[i]));
  for (const [i, output] of outputs.entries()) {
    const distance = Math.abs(output - expected[i]);
    farthest = distance <= farthest ? farthest : distance; // which keeps NaN
    largest = Math.max(largest, Math.abs(expected[i]));
  }
}
console.log(
  `same bits in ${same} of ${runs.length} runs; farthest ${farthest}, of outputs up to ${largest}`,
);
process.exitCode = farthest <= 1e-5 * largest ? 0 : 1;
