// Parts of a room that are drawn anew only where what they show has changed, or a frame later.

/**
 * The same function; a call with what the last one was given does nothing.
 *
 * @template {unknown[]} Given
 * @param {(...given: Given) => void} show - what it is given must be JSON-able, and is compared as JSON.
 * @returns {(...given: Given) => void}
 */
export function whenChanged(show) {
  let last = "";
  return (...given) => {
    const now = JSON.stringify(given);
    if (now === last) return;
    last = now;
    show(...given);
  };
}

/**
 * The same function, called in the next frame with what it was given last: for a part that is not the
 * one that is dragged, so that a frame has time for that one.
 *
 * @template {unknown[]} Given
 * @param {(...given: Given) => void} show
 * @returns {(...given: Given) => void}
 */
export function aFrameLater(show) {
  /** @type {Given | null} */
  let wanted = null;
  return (...given) => {
    if (!wanted)
      requestAnimationFrame(() => {
        const last = /** @type {Given} */ (wanted);
        wanted = null;
        show(...last);
      });
    wanted = given;
  };
}
