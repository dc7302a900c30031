// What is wrong with a program, as the name of a sentence, with the line.

export class ProgramError extends Error {
  /**
   * @param {number} line - counted from 1.
   * @param {string} key - the name of a sentence.
   * @param {Record<string, string | number>} [values] - what stands in it.
   */
  constructor(line, key, values = {}) {
    super(`line ${line}: ${key} ${JSON.stringify(values)}`);
    this.line = line;
    this.key = key;
    this.values = values;
  }
}
