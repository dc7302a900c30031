// What Python gave the page: JSON, with arrays of numbers in base64.

/**
 * An array as it stands in the page: little-endian numbers in base64.
 *
 * @typedef {{type: "u1" | "u2" | "u4" | "f4", shape: number[], data: string}} PackedArray
 */

/**
 * Numbers with a shape; the last axis varies fastest.
 *
 * @typedef {{shape: number[], numbers: Uint8Array | Uint16Array | Uint32Array | Float32Array}} NumberArray
 */

const KINDS = /** @type {const} */ ({
  u1: [Uint8Array, "getUint8"],
  u2: [Uint16Array, "getUint16"],
  u4: [Uint32Array, "getUint32"],
  f4: [Float32Array, "getFloat32"],
});

/**
 * The bytes of a text in base64.
 *
 * @param {string} text
 * @returns {Uint8Array}
 */
export function bytesOf(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

/**
 * An array, unpacked.
 *
 * @param {PackedArray} packed
 * @returns {NumberArray}
 */
export function unpacked({ type, shape, data }) {
  const bytes = bytesOf(data);
  // Little-endian in the page, whatever the machine is.
  const view = new DataView(bytes.buffer);
  const [Numbers, read] = KINDS[type];
  const numbers = new Numbers(bytes.length / Numbers.BYTES_PER_ELEMENT);
  for (let i = 0; i < numbers.length; i++) numbers[i] = view[read](i * Numbers.BYTES_PER_ELEMENT, true);
  return { shape, numbers };
}

/**
 * The JSON in one of the page's script elements.
 *
 * @param {string} id
 * @returns {any}
 */
export function embedded(id) {
  return JSON.parse(document.getElementById(id)?.textContent ?? "{}");
}
