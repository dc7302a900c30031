// Parts that scroll sideways where there is no room: then the arrow keys must be able to scroll them.

import { set } from "../core/dom.js";

const watching = new ResizeObserver((entries) => {
  for (const { target } of entries) set(target, { tabindex: target.scrollWidth > target.clientWidth + 1 ? 0 : false });
});

/**
 * An element that scrolls; it is a stop of the Tab key while it is too narrow for what it holds.
 *
 * @template {HTMLElement} Made
 * @param {Made} element
 * @returns {Made}
 */
export function scrolling(element) {
  watching.observe(element);
  return element;
}
