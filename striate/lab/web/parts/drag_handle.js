// A handle in a drawing that is dragged along one direction, or moved by arrow keys.

import { set, svg } from "../core/dom.js";

/**
 * @param {object} options
 * @param {string} options.label
 * @param {number} options.least
 * @param {number} options.most
 * @param {(x: number) => number} options.valueAt - the value for a place in the drawing.
 * @param {(value: number) => void} options.onChange
 * @returns {{element: SVGGElement, show: (x: number, y: number, value: number) => void}}
 */
export function dragHandle({ label, least, most, valueAt, onChange }) {
  let now = least, isHeld = false;
  const element = svg("g", {
    class: "drag-handle", role: "slider", tabindex: 0, "aria-label": label, "aria-valuemin": least, "aria-valuemax": most,
  }, svg("circle", { class: "halo", r: 18 }), svg("rect", { x: -7, y: -15, width: 14, height: 30, rx: 7 }),
  svg("path", { d: "M-2 -6V6M2 -6V6" }));

  /** @param {number} value */
  function take(value) {
    const bounded = Math.min(Math.max(Math.round(value), least), most);
    if (bounded === now) return;
    now = bounded; // at once: another key may come before this is drawn
    onChange(bounded);
  }
  element.addEventListener("pointerdown", (event) => {
    isHeld = true;
    element.setPointerCapture(event.pointerId);
    element.focus();
    event.preventDefault();
  });
  element.addEventListener("pointermove", (event) => {
    const matrix = element.ownerSVGElement?.getScreenCTM();
    if (isHeld && matrix) take(valueAt(new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse()).x));
  });
  const release = () => (isHeld = false);
  element.addEventListener("pointerup", release);
  element.addEventListener("pointercancel", release);
  element.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    take(now + step);
  });
  return {
    element,
    show(x, y, value) {
      now = value;
      set(element, { transform: `translate(${x} ${y})`, "aria-valuenow": value });
    },
  };
}
