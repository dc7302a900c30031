// Runs an exported network: node run_in_node.mjs FOLDER NAME. The folder has the files, and
// images.bin, floats of 32 bits; it gets outputs.bin.
import { readFile, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const [folder, name] = process.argv.slice(2);
const { load } = await import(pathToFileURL(`${folder}/${name}.js`).href);
const network = await load();
const bytes = await readFile(`${folder}/images.bin`);
const images = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
const outputs = network.run(images);
console.log(JSON.stringify({ roundsOnce: network.roundsOnce }));
await writeFile(`${folder}/outputs.bin`, new Uint8Array(outputs.buffer, outputs.byteOffset, outputs.byteLength));
