// Times an exported network in Node: for each number of runs on a line of the input, seconds a run.
//
//     node in_webassembly.mjs FOLDER NAME fused|simd|plain run|train
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [folder, name, kind, what] = process.argv.slice(2);
const { batch, inputShape, load } = await import(`${folder}/${name}.js`);
const read = (file) => readFileSync(`${folder}/${file}`);
const module = { fused: `${name}_fused.wasm`, simd: `${name}.wasm`, plain: `${name}_plain.wasm` }[kind];
const network = await load({ [kind]: read(module), weights: read(`${name}.weights.bin`) });
const images = new Float32Array(batch * inputShape.reduce((a, b) => a * b)).fill(0.5);
const labels = new Int32Array(batch);
const step = what === "train" ? () => network.train(images, labels, 1e-3) : () => network.run(images);
for await (const line of createInterface({ input: process.stdin })) {
  const runs = Number(line);
  const begin = performance.now();
  for (let i = 0; i < runs; i++) step();
  console.log((performance.now() - begin) / 1e3 / runs);
}
