// What was tried and solved: kept while the page is open, saved as a file, read back.

/** @typedef {{seed: number, tries: number, hints: number, solved: boolean}} Attempt */

/** @typedef {{number: number, title: string, attempts: Attempt[]}} Record_ */

/** @typedef {{title: string, exercises: Record_[]}} SetRecord */

const FORMAT = "striate lab progress";
/** Where a tab keeps it when the page is loaded anew; gone when the tab is closed. */
const KEPT = "striate-lab-progress";

/** What was tried and solved in all sets. */
export class Progress {
  /** @type {SetRecord[]} */
  #sets = [];

  constructor() {
    try {
      this.#sets = readProgress(sessionStorage.getItem(KEPT) ?? "") ?? [];
    } catch {
      // Some browsers keep nothing for files.
    }
  }

  /**
   * What was done in an exercise, each time with other numbers.
   *
   * @param {string} set - its title.
   * @param {number} number - of the exercise, counted from 1.
   * @returns {readonly Attempt[]}
   */
  attempts(set, number) {
    return this.#sets.find(({ title }) => title === set)?.exercises.find((one) => one.number === number)?.attempts ?? [];
  }

  /**
   * Whether an exercise was solved without seeing its solution.
   *
   * @param {string} set
   * @param {number} number
   * @returns {boolean}
   */
  isSolved(set, number) {
    return this.attempts(set, number).some(({ solved }) => solved);
  }

  /**
   * Note that an exercise was tried.
   *
   * @param {{set: string, number: number, title: string, seed: number}} which
   * @param {{right: boolean, hints: number, seen: boolean}} how - with how many hints; with the solution seen.
   */
  note({ set, number, title, seed }, { right, hints, seen }) {
    let record = this.#sets.find((one) => one.title === set);
    if (!record) this.#sets.push((record = { title: set, exercises: [] }));
    let exercise = record.exercises.find((one) => one.number === number);
    if (!exercise) record.exercises.push((exercise = { number, title, attempts: [] }));
    let attempt = exercise.attempts.find((one) => one.seed === seed);
    if (!attempt) exercise.attempts.push((attempt = { seed, tries: 0, hints: 0, solved: false }));
    if (!attempt.solved) {
      attempt.tries += 1;
      attempt.hints = Math.max(attempt.hints, hints);
      attempt.solved = right && !seen;
    }
    this.#keep();
  }

  /** The file. @returns {string} */
  text() {
    return `${JSON.stringify({ format: FORMAT, version: 1, sets: this.#sets }, null, 1)}\n`;
  }

  /**
   * Put what a file tells in the place of what was here.
   *
   * @param {string} text
   * @returns {boolean} whether it is such a file.
   */
  read(text) {
    const sets = readProgress(text);
    if (sets) this.#sets = sets;
    this.#keep();
    return sets !== null;
  }

  #keep() {
    try {
      sessionStorage.setItem(KEPT, this.text());
    } catch {
      // Then it is kept until the page is left.
    }
  }
}

/**
 * The sets of a file of progress, or null where it is none.
 *
 * @param {string} text
 * @returns {SetRecord[] | null}
 */
function readProgress(text) {
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    return null;
  }
  if (found?.format !== FORMAT || found.version !== 1 || !Array.isArray(found.sets)) return null;
  /** @type {(value: any) => boolean} */
  const isCount = (value) => Number.isInteger(value) && value >= 0;
  /** @type {(one: any) => boolean} */
  const isAttempt = (one) => isCount(one?.seed) && isCount(one.tries) && isCount(one.hints) && typeof one.solved === "boolean";
  /** @type {(one: any) => boolean} */
  const isExercise = (one) => isCount(one?.number) && typeof one.title === "string" && Array.isArray(one.attempts) && one.attempts.every(isAttempt);
  /** @type {(one: any) => boolean} */
  const isSet = (one) => typeof one?.title === "string" && Array.isArray(one.exercises) && one.exercises.every(isExercise);
  return found.sets.every(isSet) ? found.sets : null;
}
