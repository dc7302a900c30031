// Runs functions of the page's scripts: node run_page_scripts.cjs FOLDER SCRIPT... < jobs.json
// A job is { call, arguments, bytes?, channels?… }; the answers are printed as JSON.
"use strict";
const fs = require("fs");
const path = require("path");

const [folder, ...names] = process.argv.slice(2);
const source = names.map((name) => fs.readFileSync(path.join(folder, name), "utf-8")).join("\n");
// The scripts are one script in the page, too.
const call = new Function(`"use strict";\n${source}\nreturn (text, given) => eval(text)(given);`)();

const base64 = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");
const told = (value) => JSON.stringify(value, (_, v) => (ArrayBuffer.isView(v) ? base64(v) : v));
const bytesOf = (text) => new Uint8Array(Buffer.from(text, "base64"));

(async () => {
  const { code, jobs } = JSON.parse(fs.readFileSync(0, "utf-8"));
  const found = [];
  for (const job of jobs) {
    for (const [name, value] of Object.entries(job)) if (value?.base64 !== undefined) job[name] = bytesOf(value.base64);
    try {
      found.push({ value: await call(code, job) });
    } catch (error) {
      found.push({ error: error.message });
    }
  }
  process.stdout.write(told(found));
})();
