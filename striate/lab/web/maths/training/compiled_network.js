// striate's own training step, which Python has compiled into WebAssembly.

import { bytesOf } from "../../core/data.js";

/**
 * What Python gives of it, see striate/lab/room_data/training_room.py.
 *
 * @typedef {object} Code
 * @property {Record<string, string>} modules - by kind ("simd", "plain"), packed by zlib, in base64.
 * @property {string} weights - likewise.
 * @property {Record<string, number>} places - addresses in the module's memory, in bytes.
 * @property {Record<string, string[]>} takes - the arguments of each function.
 * @property {number} state - bytes of what is learned.
 * @property {number} buffers - where the optimiser's buffers begin in the state, in numbers.
 * @property {number} outputs - numbers for an image.
 */

/** A module that is valid where there are vectors: i8x16.popcnt(i8x16.splat(0)). */
const WITH_VECTORS = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);

/** Bytes that zlib has packed. @param {string} text */
async function inflated(text) {
  const packed = new Blob([/** @type {BlobPart} */ (bytesOf(text))]);
  const stream = packed.stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export class CompiledNetwork {
  #code;
  #call;
  #memory;
  /** The largest batch. */
  batch;

  /**
   * @param {Code} code
   * @param {WebAssembly.Instance} instance
   * @param {number} batch
   */
  constructor(code, instance, batch) {
    this.#code = code;
    this.#call = /** @type {Record<string, (...given: number[]) => number>} */ (/** @type {unknown} */ (instance.exports));
    this.#memory = /** @type {WebAssembly.Memory} */ (instance.exports.memory).buffer;
    this.batch = batch;
    this.begin();
  }

  /** Forgets all that was learned. */
  begin() {
    this.#run("begin", {});
  }

  /** Weights, statistics and the optimiser's buffers, as they are in memory: reading copies nothing. */
  get weights() {
    const { places, state } = this.#code;
    return new Float32Array(this.#memory, places.state, Math.floor(state / 4));
  }

  /**
   * One step, in a single part: it takes well below a frame.
   *
   * @param {Float32Array} images - raw pixels, 1 to `batch` images.
   * @param {ArrayLike<number>} labels
   * @param {number} rate
   * @param {ArrayLike<number>} keys - for layers that drop values.
   * @returns {Generator<void, number>} at its end the mean loss before it.
   */
  *training(images, labels, rate, keys) {
    const { places } = this.#code;
    new Float32Array(this.#memory, places.images).set(images);
    new Int32Array(this.#memory, places.labels, labels.length).set(labels);
    if ("keys" in places) new Uint32Array(this.#memory, places.keys, keys.length).set(keys);
    return this.#run("train", { count: labels.length, learning_rate: rate });
  }

  /** What the network says of images, in a single part: see `run`. @param {Float32Array} images @param {number} count */
  *answering(images, count) {
    return this.run(images, count);
  }

  /** Where the optimiser's buffers begin, in numbers. */
  get buffers() {
    return this.#code.buffers;
  }

  /**
   * What the network says of images.
   *
   * @param {Float32Array} images - raw pixels of `count` images.
   * @param {number} count
   * @returns {Float32Array} the outputs, image by image.
   */
  run(images, count) {
    const { places, outputs } = this.#code, size = images.length / count;
    const found = new Float32Array(count * outputs);
    for (let first = 0; first < count; first += this.batch) {
      const some = Math.min(this.batch, count - first);
      new Float32Array(this.#memory, places.images).set(images.subarray(first * size, (first + some) * size));
      this.#run("run", {});
      found.set(new Float32Array(this.#memory, places.outputs, some * outputs), first * outputs);
    }
    return found;
  }

  /**
   * @param {string} name
   * @param {Record<string, number>} numbers - the arguments that are no places.
   */
  #run(name, numbers) {
    const { takes, places } = this.#code;
    return this.#call[`network_${name}_on`](...takes[name].map((one) => numbers[one] ?? places[one]));
  }
}

/**
 * The network, ready to be trained; with vectors where the engine has them.
 *
 * @param {Code} code
 * @param {number} batch
 * @returns {Promise<CompiledNetwork>}
 */
export async function compiledNetwork(code, batch) {
  const kind = WebAssembly.validate(WITH_VECTORS) ? "simd" : "plain";
  const [module, weights] = await Promise.all([inflated(code.modules[kind]), inflated(code.weights)]);
  const { instance } = await WebAssembly.instantiate(module);
  const memory = /** @type {WebAssembly.Memory} */ (instance.exports.memory);
  new Uint8Array(memory.buffer).set(weights, code.places.constants);
  return new CompiledNetwork(code, instance, batch);
}
