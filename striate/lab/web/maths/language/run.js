// Runs a program: a small part of Python on small arrays, without eval, within a limit of steps.

import { NumberView, arrayOf, combined, sliced } from "./arrays.js";
import { FUNCTIONS } from "./functions.js";
import { parsedProgram } from "./parser.js";
import { ProgramError } from "./program_error.js";

/** @typedef {import("./parser.js").Node} Node */
/** @typedef {import("./parser.js").Statement} Statement */
/** @typedef {number | boolean | NumberView | number[]} Value - a list of numbers is a tuple, such as a shape. */

/** Steps after which a program is stopped: far more than ten lines on small arrays need. */
const MOST_STEPS = 200_000;

/**
 * What the names of a program stand for after it has run.
 *
 * @param {string} text
 * @param {Record<string, Value>} names - what they stand for before.
 * @returns {Record<string, Value>}
 * @throws {ProgramError}
 */
export function runProgram(text, names) {
  const run = new Run(new Map(Object.entries(names)));
  run.all(parsedProgram(text));
  return Object.fromEntries(run.names);
}

class Run {
  #steps = 0;

  /** @param {Map<string, Value>} names */
  constructor(names) {
    this.names = names;
  }

  /** @param {readonly Statement[]} statements */
  all(statements) {
    for (const one of statements) this.#statement(one);
  }

  /** @param {Statement} statement */
  #statement(statement) {
    this.#count(statement.line);
    if (statement.type === "for") this.#loop(statement);
    else if (statement.type === "if") this.all(truth(this.value(statement.test)) ? statement.body : statement.otherwise);
    else if (statement.type === "set") this.#set(statement);
  }

  /** @param {number} line */
  #count(line) {
    this.#steps += 1;
    if (this.#steps > MOST_STEPS) throw new ProgramError(line, "tooLong");
  }

  /** @param {Extract<Statement, {type: "for"}>} statement */
  #loop({ line, name, given, body }) {
    const bounds = given.map((one) => this.#whole(one));
    const [from, to, by] = bounds.length === 1 ? [0, bounds[0], 1] : [bounds[0], bounds[1], bounds[2] ?? 1];
    if (by === 0) throw new ProgramError(line, "stepZero");
    for (let i = from; by > 0 ? i < to : i > to; i += by) {
      this.#count(line);
      this.names.set(name, i);
      this.all(body);
    }
  }

  /** @param {Extract<Statement, {type: "set"}>} statement */
  #set({ line, targets, sign, value }) {
    const found = this.value(value);
    if (targets.length === 1) return this.#store(line, targets[0], sign, found);
    if (!Array.isArray(found) || found.length !== targets.length)
      throw new ProgramError(line, "unpack", { names: targets.length, values: Array.isArray(found) ? found.length : 1 });
    targets.forEach((target, i) => this.#store(line, target, "=", found[i]));
  }

  /**
   * @param {number} line
   * @param {Node} target
   * @param {string} sign
   * @param {Value} value
   */
  #store(line, target, sign, value) {
    if (target.type === "name" && sign === "=") return void this.names.set(target.name, value);
    const here = this.value(target);
    const next = sign === "=" ? value : this.#combined(line, sign.slice(0, -1), here, value);
    const place = target.type === "index" ? this.#part(target) : here;
    if (!(place instanceof NumberView)) {
      if (target.type === "name") return void this.names.set(target.name, next);
      throw new ProgramError(line, "target");
    }
    const numbers = next instanceof NumberView ? next.numbers() : null;
    if (numbers) this.#alike(line, place, /** @type {NumberView} */ (next));
    else if (Array.isArray(next)) throw new ProgramError(line, "noNumber");
    place.places().forEach((at, i) => (place.data[at] = numbers ? numbers[i] : Number(next)));
  }

  /** @param {Node} node @returns {Value} */
  value(node) {
    this.#count(node.line);
    switch (node.type) {
      case "number":
      case "truth":
        return node.value;
      case "name":
        return this.#named(node);
      case "tuple":
        return node.items.map((item) => this.#number(item));
      case "unary":
        return this.#unary(node);
      case "binary":
        return this.#binary(node);
      case "index":
        return this.#indexed(node);
      case "field":
        return this.#field(node);
      case "call":
        return this.#called(node);
      case "slice":
        throw new ProgramError(node.line, "noNumber");
    }
  }

  /** @param {Extract<Node, {type: "name"}>} node */
  #named({ line, name }) {
    const found = this.names.get(name);
    if (found === undefined) throw new ProgramError(line, "unknown", { name, names: [...this.names.keys()].join(", ") });
    return found;
  }

  /** @param {Extract<Node, {type: "unary"}>} node */
  #unary({ line, sign, of }) {
    const value = this.value(of);
    if (sign === "not") return !truth(value);
    return this.#combined(line, "*", value, sign === "-" ? -1 : 1);
  }

  /** @param {Extract<Node, {type: "binary"}>} node */
  #binary({ line, sign, left, right }) {
    const first = this.value(left);
    if (sign === "and") return truth(first) ? this.value(right) : first;
    if (sign === "or") return truth(first) ? first : this.value(right);
    return this.#combined(line, sign, first, this.value(right));
  }

  /**
   * @param {number} line
   * @param {string} sign
   * @param {Value} a
   * @param {Value} b
   * @returns {Value}
   */
  #combined(line, sign, a, b) {
    if (Array.isArray(a) || Array.isArray(b)) throw new ProgramError(line, "noNumber");
    if (sign in COMPARISONS) {
      if (a instanceof NumberView || b instanceof NumberView) throw new ProgramError(line, "compared");
      return COMPARISONS[sign](Number(a), Number(b));
    }
    const compute = ARITHMETIC[sign];
    const divides = sign === "/" || sign === "//" || sign === "%";
    if (divides && (b instanceof NumberView ? b.numbers().includes(0) : Number(b) === 0)) throw new ProgramError(line, "zero");
    if (a instanceof NumberView) {
      if (b instanceof NumberView) this.#alike(line, a, b);
      return combined(a, b instanceof NumberView ? b : Number(b), compute);
    }
    if (b instanceof NumberView) return combined(b, Number(a), (of, one) => compute(one, of));
    return compute(Number(a), Number(b));
  }

  /** @param {number} line @param {NumberView} a @param {NumberView} b */
  #alike(line, a, b) {
    if (a.shape.join() !== b.shape.join()) throw new ProgramError(line, "shapes", { one: a.shape.join("×") || 1, other: b.shape.join("×") || 1 });
  }

  /** @param {Extract<Node, {type: "index"}>} node @returns {Value} */
  #indexed(node) {
    const { line, of, at } = node;
    if (of.type === "field" && of.name === "shape") {
      const shape = /** @type {number[]} */ (this.value(of));
      const index = at.length === 1 ? this.#whole(at[0]) : NaN;
      const found = shape.at(index);
      if (found === undefined || index < -shape.length) throw new ProgramError(line, "outside", { axis: 1, index, extent: shape.length });
      return found;
    }
    const part = this.#part(node);
    return part.shape.length === 0 ? part.data[part.offset] : part;
  }

  /** The part of an array that an index names, as a view. @param {Extract<Node, {type: "index"}>} node */
  #part({ line, of, at }) {
    const whole = this.value(of);
    if (!(whole instanceof NumberView)) throw new ProgramError(line, "noArray");
    if (at.length === 0 || at.length > whole.shape.length) throw new ProgramError(line, "axes", { axes: whole.shape.length, given: at.length });
    let offset = whole.offset;
    /** @type {number[]} */
    const shape = [];
    /** @type {number[]} */
    const steps = [];
    whole.shape.forEach((extent, axis) => {
      const one = at[axis];
      if (one && one.type !== "slice") {
        const index = this.#whole(one);
        if (index < 0) throw new ProgramError(line, "negative", { axis: axis + 1, index });
        if (index >= extent) throw new ProgramError(line, "outside", { axis: axis + 1, index, extent });
        offset += index * whole.steps[axis];
        return;
      }
      const by = one?.by ? this.#whole(one.by) : 1;
      if (by === 0) throw new ProgramError(line, "stepZero");
      const [from, to] = [one?.from, one?.to].map((bound) => (bound ? this.#whole(bound) : null));
      const { start, count } = sliced(extent, from, to, by);
      offset += (count ? start : 0) * whole.steps[axis];
      shape.push(count);
      steps.push(by * whole.steps[axis]);
    });
    return new NumberView(whole.data, shape, offset, steps);
  }

  /** @param {Extract<Node, {type: "field"}>} node @returns {Value} */
  #field({ line, of, name }) {
    const array = this.value(of);
    if (!(array instanceof NumberView)) throw new ProgramError(line, "noArray");
    if (name === "shape") return [...array.shape];
    if (name === "size") return array.size;
    if (name === "T") return new NumberView(array.data, [...array.shape].reverse(), array.offset, [...array.steps].reverse());
    throw new ProgramError(line, "noField", { name });
  }

  /** @param {Extract<Node, {type: "call"}>} node @returns {Value} */
  #called({ line, name, given }) {
    // Not what all objects have, such as "constructor".
    const compute = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : null;
    if (!compute) throw new ProgramError(line, "noFunction", { name, names: Object.keys(FUNCTIONS).join(", ") });
    const result = compute(given.map((one) => this.value(one)));
    if (result === null) throw new ProgramError(line, "badCall", { name });
    return result;
  }

  /** @param {Node} node */
  #number(node) {
    const value = this.value(node);
    if (value instanceof NumberView || Array.isArray(value)) throw new ProgramError(node.line, "noNumber");
    return Number(value);
  }

  /** @param {Node} node */
  #whole(node) {
    const value = this.#number(node);
    if (!Number.isInteger(value)) throw new ProgramError(node.line, "notWhole", { value });
    return value;
  }
}

/** @type {Record<string, (a: number, b: number) => number>} */
const ARITHMETIC = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "//": (a, b) => Math.round((a - remainder(a, b)) / b),
  "%": remainder,
  "**": (a, b) => a ** b,
};

/**
 * Python's remainder, exact, with the sign of the divisor.
 *
 * @param {number} a
 * @param {number} b
 */
function remainder(a, b) {
  const left = a % b;
  return left !== 0 && left < 0 !== b < 0 ? left + b : left;
}

/** @type {Record<string, (a: number, b: number) => boolean>} */
const COMPARISONS = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};

/** @param {Value} value */
function truth(value) {
  return value instanceof NumberView ? value.numbers().some(Boolean) : Array.isArray(value) ? value.length > 0 : Boolean(value);
}

/**
 * The arrays that a program leaves, for those who call from outside: names to rows of numbers.
 *
 * @param {string} text
 * @param {Record<string, number | number[][]>} given - matrices as rows, or numbers.
 * @returns {Record<string, any>} - {shape, numbers} of each array, numbers as they are; or
 *   {error: {line, key}} of a program that is wrong.
 */
export function programResult(text, given) {
  const names = Object.entries(given).map(([name, value]) =>
    [name, typeof value === "number" ? value : arrayOf([value.length, value[0].length], value.flat())]);
  try {
    const left = runProgram(text, Object.fromEntries(names));
    return Object.fromEntries(Object.entries(left).map(([name, value]) =>
      [name, value instanceof NumberView ? { shape: value.shape, numbers: value.numbers() } : value]));
  } catch (error) {
    if (error instanceof ProgramError) return { error: { line: error.line, key: error.key } };
    throw error;
  }
}
