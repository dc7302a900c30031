// The part of TOML in which networks are written: keys with values, tables [[name]], comments.

export class TomlError extends Error {
  /** @param {number} line - from 1. @param {string} found */
  constructor(line, found) {
    super(found);
    this.line = line;
    this.found = found;
  }
}

/**
 * The object that a text says. Dates, dotted keys and tables [name] are not known.
 *
 * @param {string} text
 * @returns {Record<string, any>}
 * @throws {TomlError} with the line, and what stands there.
 */
export function readToml(text) {
  return new Reader(text).document();
}

const ESCAPES = /** @type {Record<string, string>} */ ({ n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", '"': '"', "\\": "\\" });

class Reader {
  #text;
  #at = 0;

  /** @param {string} text */
  constructor(text) {
    this.#text = text.replace(/\r\n/g, "\n");
  }

  document() {
    /** @type {Record<string, any>} */
    const document = {};
    let table = document;
    for (;;) {
      this.#skip(/(?:[ \t\n]|#[^\n]*)*/y);
      if (this.#at === this.#text.length) return document;
      const name = this.#match(/\[\[[ \t]*([\w-]+)[ \t]*\]\]/y);
      if (name) {
        const rows = (document[name[1]] ??= []);
        if (!Array.isArray(rows)) this.#fail();
        rows.push((table = {}));
      } else this.#entry(table);
      this.#skip(/[ \t]*(?:#[^\n]*)?/y);
      if (this.#at < this.#text.length && this.#text[this.#at] !== "\n") this.#fail();
    }
  }

  /** @param {Record<string, any>} table */
  #entry(table) {
    const before = this.#at, key = this.#key();
    if (!this.#match(/[ \t]*=[ \t]*/y)) this.#fail();
    if (Object.hasOwn(table, key) || key === "__proto__") {
      this.#at = before;
      this.#fail();
    }
    table[key] = this.#value();
  }

  #key() {
    const bare = this.#match(/[\w-]+/y);
    return bare ? bare[0] : this.#string() ?? this.#fail();
  }

  /** @returns {any} */
  #value() {
    const string = this.#string();
    if (string !== null) return string;
    const word = this.#match(/(?:true|false)\b/y);
    if (word) return word[0] === "true";
    const number = this.#match(/[+-]?\d[\d_]*(?:\.[\d_]+)?(?:[eE][+-]?\d+)?(?![\w.:-])/y);
    if (number) return Number(number[0].replace(/_/g, ""));
    if (this.#match(/\[/y)) return this.#list(() => this.#value(), /(?:[ \t\n]|#[^\n]*)*/y, "]");
    if (this.#match(/\{/y)) {
      /** @type {Record<string, any>} */
      const table = {};
      this.#list(() => this.#entry(table), /[ \t]*/y, "}");
      return table;
    }
    return this.#fail();
  }

  /**
   * What stands between commas.
   *
   * @param {() => any} read
   * @param {RegExp} space
   * @param {string} end
   */
  #list(read, space, end) {
    const found = [];
    for (;;) {
      this.#skip(space);
      if (this.#text[this.#at] === end) break;
      found.push(read());
      this.#skip(space);
      if (this.#text[this.#at] === ",") this.#at++;
      else if (this.#text[this.#at] !== end) this.#fail();
    }
    this.#at++;
    return found;
  }

  #string() {
    const plain = this.#match(/'([^'\n]*)'(?!')/y);
    if (plain) return plain[1];
    const quoted = this.#match(/"((?:[^"\\\n]|\\.)*)"(?!")/y);
    return quoted && quoted[1].replace(/\\(?:u([\da-fA-F]{4})|(.))/g, (_, code, letter) =>
      code ? String.fromCharCode(parseInt(code, 16)) : ESCAPES[letter] ?? this.#fail());
  }

  /** @param {RegExp} pattern */
  #match(pattern) {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found) this.#at = pattern.lastIndex;
    return found;
  }

  /** @param {RegExp} pattern - that matches nothing, too. */
  #skip(pattern) {
    this.#match(pattern);
  }

  /** @returns {never} */
  #fail() {
    const line = this.#text.slice(0, this.#at).split("\n").length;
    throw new TomlError(line, this.#text.slice(this.#at).split("\n")[0].slice(0, 40));
  }
}
