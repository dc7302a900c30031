// Opens the page: the rooms' list, and the room that the address names.

import { address, parsed } from "./address.js";
import { embedded } from "./data.js";
import { html } from "./dom.js";
import { readState } from "./fields.js";
import { ROOMS } from "./rooms.js";
import { say } from "./texts.js";

/** @typedef {import("./room.js").Room} Room */
/** @typedef {import("./room.js").OpenRoom} OpenRoom */
/** @typedef {import("./fields.js").State} State */

/** Milliseconds after the last change at which the address follows: browsers allow few at once. */
const SETTLED = 200;

const main = /** @type {HTMLElement} */ (document.getElementById("main"));
const spoken = html("p", { class: "visually-hidden", role: "status" });

class App {
  /** @type {Room | null} */
  #room = null;
  /** @type {OpenRoom | null} */
  #open = null;
  /** @type {State} */
  #state = {};
  #frame = 0;
  #settling = 0;
  /** The address as this page read or wrote it last. */
  #told = "";
  #data = embedded("lab-data");

  constructor() {
    document.body.append(spoken);
    window.addEventListener("hashchange", () => this.#go());
    this.#go();
  }

  /** Shows what the address names. */
  #go() {
    clearTimeout(this.#settling);
    this.#told = location.hash;
    const { id, told } = parsed(location.hash);
    const room = ROOMS.find((one) => one.id === id) ?? null;
    if (room && room === this.#room) {
      this.#state = readState(room.fields, told);
      this.#show();
      return;
    }
    this.#open?.close?.();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const isFirst = this.#open === null && main.childElementCount === 0;
    this.#room = room;
    main.replaceChildren();
    listRooms(room);
    document.title = room ? `${say(`${room.id}.title`)} – striate lab` : "striate lab";
    if (room) this.#enter(room, told);
    else showStart();
    if (!isFirst) main.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }

  /**
   * @param {Room} room
   * @param {URLSearchParams} told
   */
  #enter(room, told) {
    const place = html("div", { class: `room room-${room.id}` });
    main.append(
      html("header", { class: "room-head" },
        html("h1", { text: say(`${room.id}.title`) }),
        html("p", { class: "lead", text: say(`${room.id}.lead`) })),
      place,
    );
    this.#state = readState(room.fields, told);
    this.#open = room.open(place, {
      data: this.#data,
      change: (changes) => this.#change(changes),
      state: () => ({ ...this.#state }),
      link: (id, state = {}) => address(ROOMS.find((one) => one.id === id) ?? null, state),
      announce: (text) => (spoken.textContent = text),
    });
    this.#show();
  }

  /** @param {State} changes */
  #change(changes) {
    this.#state = { ...this.#state, ...changes };
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#show();
    });
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      if (location.hash !== this.#told) return; // another address was given just now: its event is on its way
      history.replaceState(null, "", address(this.#room, this.#state));
      this.#told = location.hash;
    }, SETTLED);
  }

  #show() {
    this.#open?.show({ ...this.#state });
  }
}

/** @param {Room | null} current */
function listRooms(current) {
  const nav = /** @type {HTMLElement} */ (document.getElementById("rooms"));
  nav.setAttribute("aria-label", say("lab.rooms"));
  const items = ROOMS.map((room) =>
    html("li", {},
      html("a", { href: address(room, {}), "aria-current": room === current && "page", text: say(`${room.id}.name`) })));
  nav.replaceChildren(html("ol", {}, ...items));
}

function showStart() {
  const cards = ROOMS.map((room) =>
    html("li", { class: "card" },
      html("h2", {}, html("a", { href: address(room, {}), text: say(`${room.id}.title`) })),
      html("p", { text: say(`${room.id}.lead`) })));
  main.append(
    html("header", { class: "room-head" },
      html("h1", { text: say("lab.title") }),
      html("p", { class: "lead", text: say("lab.lead") })),
    html("ol", { class: "cards" }, ...cards));
}

const skip = /** @type {HTMLElement} */ (document.getElementById("skip"));
skip.textContent = say("lab.skip");
skip.addEventListener("click", (event) => {
  event.preventDefault(); // the address keeps its room
  main.focus();
});
/** @type {HTMLElement} */ (document.getElementById("foot")).textContent = say("lab.foot");
new App();
