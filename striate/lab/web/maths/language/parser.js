// The tree of a program: statements and expressions of a small part of Python.

import { ProgramError } from "./program_error.js";
import { tokensOf } from "./tokens.js";

/** @typedef {import("./tokens.js").Token} Token */

/**
 * @typedef {{line: number} & (
 *   {type: "number", value: number} | {type: "truth", value: boolean} | {type: "name", name: string} |
 *   {type: "unary", sign: string, of: Node} | {type: "binary", sign: string, left: Node, right: Node} |
 *   {type: "tuple", items: Node[]} | {type: "slice", from: Node | null, to: Node | null, by: Node | null} |
 *   {type: "index", of: Node, at: Node[]} | {type: "field", of: Node, name: string} |
 *   {type: "call", name: string, given: Node[]})} Node
 */

/**
 * @typedef {{line: number} & (
 *   {type: "for", name: string, given: Node[], body: Statement[]} |
 *   {type: "if", test: Node, body: Statement[], otherwise: Statement[]} |
 *   {type: "set", targets: Node[], sign: string, value: Node} | {type: "pass"})} Statement
 */

/** Signs that stand between two values, weakest first; those of a row bind alike. */
const SIGNS = [["or"], ["and"], [], ["<", "<=", ">", ">=", "==", "!="], ["+", "-"], ["*", "/", "//", "%"]];
const NOT_HERE = new Set("while def class import from return lambda with try raise print global in is yield del assert break continue".split(" "));

/**
 * The tree of a program.
 *
 * @param {string} text
 * @returns {Statement[]}
 */
export function parsedProgram(text) {
  const parser = new Parser(tokensOf(text));
  return parser.program();
}

class Parser {
  #tokens;
  #next = 0;

  /** @param {readonly Token[]} tokens */
  constructor(tokens) {
    this.#tokens = tokens;
  }

  /** The token that comes next. */
  get #here() {
    return this.#tokens[this.#next];
  }

  program() {
    /** @type {Statement[]} */
    const found = [];
    while (this.#here.kind !== "end") found.push(this.#statement());
    return found;
  }

  /** @returns {Statement} */
  #statement() {
    const { line, kind, text } = this.#here;
    if (kind === "indent") throw new ProgramError(line, "indentation");
    if (kind === "name" && NOT_HERE.has(text)) throw new ProgramError(line, "notHere", { word: text });
    if (this.#takes("for")) {
      const name = this.#name();
      this.#wants("in");
      this.#wants("range");
      this.#wants("(");
      const given = this.#list(")");
      if (given.length < 1 || given.length > 3) throw new ProgramError(line, "range");
      return { type: "for", line, name, given, body: this.#block() };
    }
    if (this.#takes("if")) return this.#condition(line);
    if (this.#takes("pass")) {
      this.#ends();
      return { type: "pass", line };
    }
    return this.#assignment(line);
  }

  /** @param {number} line @returns {Statement} */
  #condition(line) {
    const test = this.#expression();
    const body = this.#block();
    /** @type {Statement[]} */
    let otherwise = [];
    const { line: next } = this.#here;
    if (this.#takes("elif")) otherwise = [this.#condition(next)];
    else if (this.#takes("else")) otherwise = this.#block();
    return { type: "if", line, test, body, otherwise };
  }

  /** @param {number} line @returns {Statement} */
  #assignment(line) {
    const targets = [this.#expression()];
    while (this.#takes(",")) targets.push(this.#expression());
    const { text: sign } = this.#here;
    if (!["=", "+=", "-=", "*=", "/=", "%="].includes(sign)) {
      throw new ProgramError(line, this.#here.kind === "newline" ? "noAssignment" : "unexpected", { found: sign });
    }
    this.#next += 1;
    if (targets.some(({ type }) => type !== "name" && type !== "index") || (targets.length > 1 && sign !== "="))
      throw new ProgramError(line, "target");
    const value = this.#tuple();
    this.#ends();
    return { type: "set", line, targets, sign, value };
  }

  /** @returns {Statement[]} */
  #block() {
    this.#wants(":");
    if (this.#here.kind !== "newline") return [this.#statement()];
    const { line } = this.#here;
    this.#next += 1;
    if (!this.#is("indent")) throw new ProgramError(line, "noBlock");
    this.#next += 1;
    const found = [];
    while (!this.#is("dedent")) found.push(this.#statement());
    this.#next += 1;
    return found;
  }

  /** @returns {Node} */
  #tuple() {
    const { line } = this.#here;
    const items = [this.#expression()];
    while (this.#takes(",")) items.push(this.#expression());
    return items.length > 1 ? { type: "tuple", line, items } : items[0];
  }

  /** @param {number} [strength] @returns {Node} */
  #expression(strength = 0) {
    if (strength === SIGNS.length) return this.#unary();
    const { line } = this.#here;
    if (SIGNS[strength].length === 0) // "not" binds between "and" and comparisons
      return this.#takes("not") ? { type: "unary", line, sign: "not", of: this.#expression(strength) } : this.#expression(strength + 1);
    let left = this.#expression(strength + 1);
    /** @type {Node | null} */
    let before = null;
    while (SIGNS[strength].includes(this.#here.text)) {
      const { text: sign, line: at } = this.#here;
      this.#next += 1;
      const right = this.#expression(strength + 1);
      /** @type {Node} */
      const pair = { type: "binary", line: at, sign, left: before ?? left, right };
      // 0 <= i < n asks both, as in Python.
      left = before ? { type: "binary", line: at, sign: "and", left, right: pair } : pair;
      if (strength === 3) before = right;
    }
    return left;
  }

  /** @returns {Node} */
  #unary() {
    const { line, text } = this.#here;
    if (this.#takes("-") || this.#takes("+")) return { type: "unary", line, sign: text, of: this.#unary() };
    const base = this.#postfix();
    return this.#takes("**") ? { type: "binary", line, sign: "**", left: base, right: this.#unary() } : base;
  }

  /** @returns {Node} */
  #postfix() {
    let node = this.#atom();
    for (;;) {
      const { line } = this.#here;
      if (this.#takes("[")) node = { type: "index", line, of: node, at: this.#list("]") };
      else if (this.#takes(".")) {
        const name = this.#name();
        // np.sum(A) and A.sum() are the same call.
        const given = node.type === "name" && node.name === "np" ? [] : [node];
        node = this.#takes("(") ? { type: "call", line, name, given: [...given, ...this.#list(")")] } : { type: "field", line, of: node, name };
      } else if (node.type === "name" && this.#takes("(")) node = { type: "call", line, name: node.name, given: this.#list(")") };
      else return node;
    }
  }

  /** @returns {Node} */
  #atom() {
    const { line, kind, text } = this.#here;
    if (kind === "name" && NOT_HERE.has(text)) throw new ProgramError(line, "notHere", { word: text });
    this.#next += 1;
    if (kind === "number") return { type: "number", line, value: Number(text) };
    if (text === "True" || text === "False") return { type: "truth", line, value: text === "True" };
    if (kind === "name") return { type: "name", line, name: text };
    if (text === "(") {
      const items = this.#list(")");
      if (items.length === 0) throw new ProgramError(line, "unexpected", { found: ")" });
      return items.length > 1 ? { type: "tuple", line, items } : items[0];
    }
    throw new ProgramError(line, kind === "sign" ? "unexpected" : "tooShort", { found: text });
  }

  /** Values with commas between them, up to a bracket; in square ones slices, too. @param {string} end */
  #list(end) {
    /** @type {Node[]} */
    const items = [];
    while (!this.#takes(end)) {
      items.push(end === "]" ? this.#slice() : this.#expression());
      if (this.#here.text !== end) this.#wants(",");
    }
    return items;
  }

  /** @returns {Node} */
  #slice() {
    const { line } = this.#here;
    /** @type {(Node | null)[]} */
    const parts = [];
    do parts.push([":", ",", "]"].includes(this.#here.text) ? null : this.#expression());
    while (this.#takes(":"));
    if (parts.length === 1 && parts[0]) return parts[0];
    if (parts.length < 2 || parts.length > 3) throw new ProgramError(line, "unexpected", { found: this.#here.text });
    return { type: "slice", line, from: parts[0], to: parts[1], by: parts[2] ?? null };
  }

  #name() {
    const { kind, text, line } = this.#here;
    if (kind !== "name") throw new ProgramError(line, "wants", { wanted: "…", found: text });
    this.#next += 1;
    return text;
  }

  /** @param {Token["kind"]} kind */
  #is(kind) {
    return this.#here.kind === kind;
  }

  /** @param {string} text */
  #takes(text) {
    const found = this.#here.text === text;
    if (found) this.#next += 1;
    return found;
  }

  /** @param {string} text */
  #wants(text) {
    const { line, text: found } = this.#here;
    if (!this.#takes(text)) throw new ProgramError(line, found ? "wants" : "wantsEnd", { wanted: text, found });
  }

  #ends() {
    const { kind, text, line } = this.#here;
    if (kind !== "newline") throw new ProgramError(line, "unexpected", { found: text });
    this.#next += 1;
  }
}
