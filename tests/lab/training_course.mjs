// A training of the lab in Node, or its first steps: reads the room's data, tells the losses and the test
// accuracy.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [web, file, seed, epochs, steps] = process.argv.slice(2);
const from = (path) => import(pathToFileURL(`${web}/${path}`));
const { compiledNetwork } = await from("maths/training/compiled_network.js");
const { Course } = await from("maths/training/course.js");
const { unpacked } = await from("core/data.js");
const data = JSON.parse(readFileSync(file, "utf-8"));
const part = (name) => ({
  images: Float32Array.from(unpacked(data.images[name]).numbers), labels: unpacked(data.labels[name]).numbers,
});
const network = await compiledNetwork(data.code, data.recipe.batch);
const recipe = { ...data.recipe, epochs: Number(epochs) };
const course = new Course(network, part("train"), part("test"), recipe, Number(seed));
const begin = performance.now();
while (!course.isDone && course.step < Number(steps ?? Infinity)) course.advance();
const seconds = (performance.now() - begin) / 1000;
const weights = Array.from(network.weights.subarray(0, data.network.size));
console.log(JSON.stringify({ losses: course.losses, epochs: course.epochs, weights, seconds }));
