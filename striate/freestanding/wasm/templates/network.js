/**
 * {{ name }}: a convolutional network in WebAssembly, made by striate.
 *
 *     import { load } from "./{{ name }}.js";
 *     const network = await load();
 *     const outputs = network.run(images);
 *
 * @module
 */

/** Height, width and channels of an image, whose numbers are in this order. */
export const inputShape = Object.freeze({{ input_shape }});
/** The shape of what the network says of an image. */
export const outputShape = Object.freeze({{ output_shape }});
/** How many images are computed together. */
export const batch = {{ batch }};
/** What each output is of, null if that was never said. */
export const classes = {% if classes is none %}null{% else %}Object.freeze({{ classes }}){% endif %};

const IMAGE = {{ image_numbers }};
const OUTPUTS = {{ output_numbers }};
/** Addresses in the module's memory, in bytes. */
const PLACES = {
{% for place, address in places.items() %}
  {{ place }}: {{ address }},
{% endfor %}
};
const WEIGHTS_BYTES = {{ constant_bytes }};
{% if training %}
const STATE_BYTES = {{ training.state_bytes }};
{% endif %}
{% if kind != "numbers" %}
/** What outputs are divided by before they become probabilities. */
const TEMPERATURE = {{ temperature }};
{% endif %}

/** A module that is valid where there are vectors of 128 bits: i8x16.popcnt(i8x16.splat(0)). */
const WITH_VECTORS = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
);

/**
 * A module that is valid where there are "relaxed" multiply-adds, which an engine rounds once or
 * twice: f(x, y) = f32x4.relaxed_madd(splat(x), splat(x), splat(y)), its first lane.
 */
const WITH_MULTIPLY_ADDS = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 125, 125, 1, 125, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0,
  10, 22, 1, 20, 0, 32, 0, 253, 19, 32, 0, 253, 19, 32, 1, 253, 19, 253, 133, 2, 253, 31, 0, 11,
);

/** What the modules are called, the fastest first. */
const FILES = Object.freeze({
  fused: "{{ name }}_fused.wasm",
  simd: "{{ name }}.wasm",
  plain: "{{ name }}_plain.wasm",
});

/**
 * What a module exports.
 *
 * @typedef {object} Exports
 * @property {WebAssembly.Memory} memory
 * @property {(images: number, outputs: number, constants: number, arena: number) => void} {{ name }}_run_on
 */

/**
 * A network that is ready to run. It keeps no images, and runs one call at a time.
 */
class Network {
  #exports;
  #memory;
  #roundsOnce;

  /**
   * @param {Exports} exports - those of a module with its weights.
   * @param {boolean} roundsOnce
   */
  constructor(exports, roundsOnce) {
    this.#exports = exports;
    this.#roundsOnce = roundsOnce;
    this.#memory = new Float32Array(exports.memory.buffer);
{% if training %}
    this.begin();
{% endif %}
  }

  get inputShape() {
    return inputShape;
  }

  get outputShape() {
    return outputShape;
  }

  get batch() {
    return batch;
  }

  get classes() {
    return classes;
  }

  /** Whether multiply-adds are rounded once, as on processors that have an instruction for them. */
  get roundsOnce() {
    return this.#roundsOnce;
  }

  /**
   * What the network says of images: logits, or numbers in regression.
   *
   * @param {Float32Array | Uint8Array | Uint8ClampedArray} images - raw pixels as the network was
   *   trained on them, one image behind the other, each row by row, channels last.
   * @returns {Float32Array} the outputs of each image, one behind the other.
   */
  run(images) {
    const count = imagesIn(images);
    const outputs = new Float32Array(count * OUTPUTS);
    for (let first = 0; first < count; first += batch) {
      const next = Math.min(first + batch, count);
      this.#memory.set(images.subarray(first * IMAGE, next * IMAGE), PLACES.images / 4);
      this.#exports.{{ name }}_run_on({% for place in run_takes %}PLACES.{{ place }}{{ ", " if not loop.last }}{% endfor %});
      const begin = PLACES.outputs / 4;
      const found = this.#memory.subarray(begin, begin + (next - first) * OUTPUTS);
      outputs.set(found, first * OUTPUTS);
    }
    return outputs;
  }
{% if training %}

  /** Forgets all that was learned: the weights are those that were exported. */
  begin() {
    this.#exports.{{ name }}_begin_on(PLACES.state, PLACES.constants);
  }

  /** All that was learned, as bytes to keep. @returns {Uint8Array} */
  get state() {
    return new Uint8Array(this.#memory.buffer, PLACES.state, STATE_BYTES).slice();
  }

  /** Goes on with bytes that were kept. */
  set state(bytes) {
    if (!(bytes instanceof Uint8Array) || bytes.length !== STATE_BYTES) {
      throw new RangeError(`{{ name }}: a state is a Uint8Array of ${STATE_BYTES} bytes`);
    }
    new Uint8Array(this.#memory.buffer).set(bytes, PLACES.state);
  }

  /**
   * Learns from images by one step; nothing is learned where the loss is infinite or no number.
   *
   * @param {Float32Array | Uint8Array | Uint8ClampedArray} images - as `run` takes them, 1 to `batch`.
{% if training.takes_labels %}
   * @param {ArrayLike<number>} labels - the number of the class of each image.
{% else %}
   * @param {ArrayLike<number>} targets - what the outputs of each image should be.
{% endif %}
   * @param {number} learningRate
{% if training.takes_keys %}
   * @param {ArrayLike<number>} [keys] - a whole random number below 2**32 for each image, by which
   *   values are dropped.
{% endif %}
   * @returns {number} the mean loss before the step.
   */
  train(images, {{ "labels" if training.takes_labels else "targets" }}, learningRate{{ ", keys = randomKeys(imagesIn(images))" if training.takes_keys }}) {
    const count = imagesIn(images);
    if (count < 1 || count > batch) {
      throw new RangeError(`{{ name }}: a step learns from 1 to ${batch} images, not from ${count}`);
    }
{% if training.takes_labels %}
    checkLength("labels", labels, count);
    for (let i = 0; i < count; i++) {
      if (!(Number.isInteger(labels[i]) && labels[i] >= 0 && labels[i] < OUTPUTS)) {
        throw new RangeError(`{{ name }}: label ${labels[i]} is no class of 0 to ${OUTPUTS - 1}`);
      }
    }
    new Int32Array(this.#memory.buffer, PLACES.labels, count).set(labels);
{% else %}
    checkLength("targets", targets, count * OUTPUTS);
    this.#memory.set(targets, PLACES.targets / 4);
{% endif %}
{% if training.takes_keys %}
    checkLength("keys", keys, count);
    new Uint32Array(this.#memory.buffer, PLACES.keys, count).set(keys);
{% endif %}
    this.#memory.set(images, PLACES.images / 4);
    return this.#exports.{{ name }}_train_on(
{% for place in training.arguments[:-3] %}
      PLACES.{{ place }},
{% endfor %}
      count,
      learningRate,
{% for place in training.arguments[-3:] %}
      PLACES.{{ place }},
{% endfor %}
    );
  }
{% endif %}
{% if kind != "numbers" %}

  /**
   * How likely each {{ "class" if kind == "classes" else "label" }} is{{ ": those of an image add up to 1" if kind == "classes" else ", by itself" }}.
   *
   * @param {Float32Array | Uint8Array | Uint8ClampedArray} images - as `run` takes them.
   * @returns {Float64Array} the probabilities of each image, one behind the other.
   */
  probabilities(images) {
    const outputs = this.run(images);
    const found = new Float64Array(outputs.length);
{% if kind == "classes" %}
    for (let first = 0; first < found.length; first += OUTPUTS) {
      const end = first + OUTPUTS;
      let largest = -Infinity;
      for (let i = first; i < end; i++) largest = Math.max(largest, outputs[i]);
      let sum = 0;
      for (let i = first; i < end; i++) {
        found[i] = Math.exp((outputs[i] - largest) / TEMPERATURE);
        sum += found[i];
      }
      for (let i = first; i < end; i++) found[i] /= sum;
    }
{% else %}
    for (let i = 0; i < found.length; i++) found[i] = 1 / (1 + Math.exp(-outputs[i] / TEMPERATURE));
{% endif %}
    return found;
  }
{% endif %}
}

/**
 * How many images there are in an array.
 *
 * @param {Float32Array | Uint8Array | Uint8ClampedArray} images
 * @returns {number}
 */
function imagesIn(images) {
  if (!ArrayBuffer.isView(images) || images instanceof DataView) {
    throw new TypeError("{{ name }}: images must be a typed array, such as a Float32Array");
  }
  const count = images.length / IMAGE;
  if (!Number.isInteger(count)) {
    throw new RangeError(
      `{{ name }}: an image has ${IMAGE} numbers (${inputShape.join("×")}), and ${images.length} is no ` +
        "multiple of that",
    );
  }
  return count;
}

{% if training %}
/**
 * @param {string} what
 * @param {ArrayLike<number>} numbers
 * @param {number} wanted
 */
function checkLength(what, numbers, wanted) {
  if (numbers.length !== wanted) {
    throw new RangeError(`{{ name }}: there must be ${wanted} ${what}, not ${numbers.length}`);
  }
}
{% if training.takes_keys %}

/** @param {number} count */
function randomKeys(count) {
  return Uint32Array.from({ length: count }, () => Math.random() * 2 ** 32);
}
{% endif %}

{% endif %}
/**
 * Which modules the engine can run, the fastest first.
 *
 * @returns {("fused" | "simd" | "plain")[]}
 */
function runnable() {
  if (!WebAssembly.validate(WITH_VECTORS)) return ["plain"];
  return addsInOneStep() ? ["fused", "simd", "plain"] : ["simd", "plain"];
}

/** Whether the engine rounds a product and a sum at once. */
function addsInOneStep() {
  if (!WebAssembly.validate(WITH_MULTIPLY_ADDS)) return false;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(WITH_MULTIPLY_ADDS));
  const multiplyAdd = /** @type {(x: number, y: number) => number} */ (exports.f);
  // The square of 1 + 2^-12 is 1 + 2^-11 + 2^-24, of which a float of 32 bits loses the last part.
  return multiplyAdd(1 + 2 ** -12, -1 - 2 ** -11) === 2 ** -24;
}

/**
 * Loads the network: of the three modules the fastest that the engine can run.
 *
 * @param {string | URL | {fused?: BufferSource, simd?: BufferSource, plain?: BufferSource, weights: BufferSource}} [source]
 *   the folder with the files, by default that of this one; or their contents.
 * @returns {Promise<Network>}
 */
export async function load(source = new URL(".", import.meta.url)) {
  const kinds = runnable();
  const kind = (isPlace(source) ? kinds : kinds.filter((one) => source[one]))[0];
  const [code, weights] = await (isPlace(source)
    ? Promise.all([contents(source, FILES[kind]), contents(source, "{{ name }}.weights.bin")])
    : [source[kind], source.weights]);
  if (!code || !weights) {
    throw new TypeError(
      "{{ name }}: the contents given need weights, and as fused, simd or plain a module that the engine can run",
    );
  }
  if (weights.byteLength !== WEIGHTS_BYTES) {
    throw new RangeError(
      `{{ name }}: weights of ${weights.byteLength} bytes are of another network, whose own are ${WEIGHTS_BYTES}`,
    );
  }
  const { instance } = await WebAssembly.instantiate(/** @type {BufferSource} */ (code));
  const exports = /** @type {Exports} */ (/** @type {unknown} */ (instance.exports));
  const bytes = ArrayBuffer.isView(weights)
    ? new Uint8Array(weights.buffer, weights.byteOffset, weights.byteLength)
    : new Uint8Array(weights);
  new Uint8Array(exports.memory.buffer).set(bytes, PLACES.constants);
  return new Network(exports, kind === "fused");
}

/**
 * Whether it says where files are.
 *
 * @param {unknown} source
 * @returns {source is string | URL}
 */
function isPlace(source) {
  return typeof source === "string" || source instanceof URL;
}

/**
 * The contents of a file in a folder.
 *
 * @param {string | URL} folder
 * @param {string} file
 * @returns {Promise<ArrayBuffer | Uint8Array>}
 */
async function contents(folder, file) {
  const inNode = typeof process === "object" && Boolean(process.versions?.node);
  const text = String(folder);
  if (inNode && (text.startsWith("file:") || !text.includes("://"))) {
    // Node's fetch takes no files.
    const { readFile } = await import("node:fs/promises");
    const { join } = await import("node:path");
    const { fileURLToPath } = await import("node:url");
    return readFile(join(text.startsWith("file:") ? fileURLToPath(text) : text, file));
  }
  const base = inNode ? undefined : document.baseURI;
  const url = new URL(file, new URL(text.endsWith("/") ? text : `${text}/`, base));
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`{{ name }}: ${url} cannot be read: ${response.status} ${response.statusText}`);
  }
  return response.arrayBuffer();
}
