// Runs an ONNX file in onnxruntime-web, as a browser does, and prints its outputs as JSON.
//
//     NODE_PATH=… node run_in_onnxruntime_web.cjs MODEL.onnx IMAGES TYPE SIDE…
//
// IMAGES is a file of raw numbers of the TYPE (float32 or uint8); the SIDEs are its shape.
const fs = require("fs");
const ort = require("onnxruntime-web");

async function main([model, images, type, ...sides]) {
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(new Uint8Array(fs.readFileSync(model)), {
    executionProviders: ["wasm"],
  });
  const bytes = new Uint8Array(fs.readFileSync(images));
  const numbers = type === "uint8" ? bytes : new Float32Array(bytes.buffer);
  const tensor = new ort.Tensor(type, numbers, sides.map(Number));
  const results = await session.run({ [session.inputNames[0]]: tensor });
  const output = results[session.outputNames[0]];
  console.log(JSON.stringify({ shape: output.dims, numbers: Array.from(output.data) }));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
