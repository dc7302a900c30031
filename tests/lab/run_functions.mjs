// Calls functions of the lab's modules: a list of {module, name, arguments} as JSON comes in by
// standard input, the list of what they return goes out. Typed arrays become lists; {"bytes": list}
// becomes a Uint8Array.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const plain = (_, value) => {
  if (ArrayBuffer.isView(value)) return Array.from(value);
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  return value;
};
const typed = (_, value) => (Array.isArray(value?.bytes) ? Uint8Array.from(value.bytes) : value);
const calls = JSON.parse(readFileSync(0, "utf8"), typed);
const results = [];
for (const { module, name, arguments: given } of calls) {
  const found = await import(pathToFileURL(module).href);
  try {
    results.push({ value: await found[name](...given) });
  } catch (error) {
    results.push({ error: error.message });
  }
}
process.stdout.write(JSON.stringify(results, plain));
