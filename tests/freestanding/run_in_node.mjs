// Runs an exported network on images and prints what it says of them, as JSON.
//
//     node run_in_node.mjs FOLDER NAME IMAGES
//
// IMAGES is a file of raw numbers of 32 bits. By each module that this Node can run.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, name, file] = process.argv.slice(2);
const exported = await import(pathToFileURL(`${folder}/${name}.js`));
const read = (ending) => readFileSync(`${folder}/${name}${ending}`);
const modules = { simd: read(".wasm"), plain: read("_plain.wasm") };
const fused = read("_fused.wasm");
if (WebAssembly.validate(fused)) modules.fused = fused;
const raw = readFileSync(file);
const images = new Float32Array(raw.buffer, raw.byteOffset, raw.byteLength / 4);

const found = { inputShape: exported.inputShape, outputShape: exported.outputShape };
found.batch = exported.batch;
found.classes = exported.classes;
for (const [kind, bytes] of Object.entries(modules)) {
  const module = new WebAssembly.Module(bytes);
  const network = await exported.load({ [kind]: bytes, weights: read(".weights.bin") });
  const bits = (array) => Buffer.from(array.buffer).toString("hex");
  found[kind] = {
    imports: WebAssembly.Module.imports(module),
    exports: WebAssembly.Module.exports(module).map(({ name, kind }) => `${kind} ${name}`),
    roundsOnce: network.roundsOnce,
    outputs: bits(network.run(images)),
    again: bits(network.run(images)),
    probabilities: network.probabilities && bits(network.probabilities(images)),
    bytes: new WebAssembly.Instance(module).exports.memory.buffer.byteLength,
  };
}
console.log(JSON.stringify(found));
