// Elements of HTML, SVG and MathML, made in one call.

/**
 * What an element is given: attributes by name; `on…` are listeners, `text` is its text, and a
 * property of false or null is left out.
 *
 * @typedef {Record<string, any>} Attributes
 */

/** @typedef {Node | string | null | undefined} Child */

const SVG = "http://www.w3.org/2000/svg";
const MATHML = "http://www.w3.org/1998/Math/MathML";

/**
 * An element of HTML.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function html(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/**
 * An element of SVG.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg(tag, attributes = {}, ...children) {
  const made = /** @type {SVGElementTagNameMap[Tag]} */ (document.createElementNS(SVG, tag));
  return filled(made, attributes, children);
}

/**
 * An element of MathML, in which browsers typeset formulas.
 *
 * @param {string} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {Element}
 */
export function math(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(MATHML, tag), attributes, children);
}

/** What `set` has given each element as its style: a browser reads it back in other words. @type {WeakMap<Element, string>} */
const STYLES = new WeakMap();

/**
 * Set attributes of an element that is there; only what differs is touched, so that a drawing can
 * be brought up to date for every frame.
 *
 * @param {Element} element
 * @param {Attributes} attributes
 */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") {
      if (element.textContent !== String(value)) element.textContent = String(value);
    } else if (name === "style") {
      // The page's policy allows styles that scripts set in this way, and no style attributes.
      if (STYLES.get(element) === value) continue;
      STYLES.set(element, value);
      /** @type {HTMLElement | SVGElement} */ (element).style.cssText = value;
    } else if (value === false || value === null || value === undefined) {
      if (element.hasAttribute(name)) element.removeAttribute(name);
    } else {
      const text = value === true ? "" : String(value);
      if (element.getAttribute(name) !== text) element.setAttribute(name, text);
    }
  }
}

/**
 * @template {Element} Made
 * @param {Made} element
 * @param {Attributes} attributes
 * @param {Child[]} children
 * @returns {Made}
 */
function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else set(element, { [name]: value });
  }
  for (const child of children) if (child !== null && child !== undefined) element.append(child);
  return element;
}
