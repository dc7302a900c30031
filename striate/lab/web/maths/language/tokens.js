// A program as tokens: words, numbers, signs, and where blocks of lines begin and end.

import { ProgramError } from "./program_error.js";

/** @typedef {{kind: "name" | "number" | "sign" | "newline" | "indent" | "dedent" | "end", text: string, line: number}} Token */

const PART = /\s+|(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)|([A-Za-z_]\w*)|(\*\*|\/\/|[-+*/%]=|[<>=!]=|[-+*/%<>=()[\]:,.])|./gy;
/** A level of a tab. */
const TAB = 4;

/**
 * The tokens of a program in a small part of Python.
 *
 * @param {string} text
 * @returns {Token[]}
 */
export function tokensOf(text) {
  /** @type {Token[]} */
  const tokens = [];
  const levels = [0];
  let open = 0;
  const lines = text.replace(/\r\n?/g, "\n").split("\n");
  lines.forEach((whole, index) => {
    const line = index + 1;
    const code = whole.replace(/#.*/, "").trimEnd();
    if (code === "") return;
    if (open === 0) levelled(tokens, levels, code, line);
    for (const [part, number, name, sign] of code.matchAll(PART)) {
      if (number) tokens.push({ kind: "number", text: number, line });
      else if (name) tokens.push({ kind: "name", text: name, line });
      else if (sign) tokens.push({ kind: "sign", text: sign, line });
      else if (part.trim() !== "") throw new ProgramError(line, "strange", { sign: part });
      if (sign && "([".includes(sign)) open += 1;
      if (sign && ")]".includes(sign)) open -= 1;
    }
    if (open <= 0) {
      open = 0;
      tokens.push({ kind: "newline", text: "", line });
    }
  });
  const line = lines.length;
  if (open > 0) throw new ProgramError(line, "unclosed");
  for (; levels.length > 1; levels.pop()) tokens.push({ kind: "dedent", text: "", line });
  tokens.push({ kind: "end", text: "", line });
  return tokens;
}

/**
 * Add the tokens that say how the level of a line differs from that of the line above.
 *
 * @param {Token[]} tokens
 * @param {number[]} levels - of the blocks that are open.
 * @param {string} code
 * @param {number} line
 */
function levelled(tokens, levels, code, line) {
  const space = /^\s*/.exec(code)?.[0] ?? "";
  const level = space.replace(/\t/g, " ".repeat(TAB)).length;
  if (level > levels[levels.length - 1]) {
    levels.push(level);
    tokens.push({ kind: "indent", text: "", line });
  }
  while (level < levels[levels.length - 1]) {
    levels.pop();
    tokens.push({ kind: "dedent", text: "", line });
  }
  if (level !== levels[levels.length - 1]) throw new ProgramError(line, "indentation");
}
