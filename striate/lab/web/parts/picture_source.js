// Where pictures come from: the sample photograph, one's own by button, drop or paste, the camera.

import { bytesOf } from "../core/data.js";
import { html } from "../core/dom.js";
import { say } from "../core/texts.js";
import { boundedSize, rgbOf } from "../maths/pixels.js";

/** @typedef {import("../maths/pixels.js").Picture} Picture */

/** Pixels of a picture at most, so that filters follow the pointer; larger ones are made smaller. */
export const MOST_PIXELS = 400_000;

/** @type {Promise<Picture> | null} */
let sample = null;
/** The last picture, of whatever room: who opens one's own keeps it in the next room. @type {Picture | null} */
let last = null;

/**
 * Buttons by which a picture is chosen; the one of the room before, or the sample, comes at once.
 *
 * @param {object} options
 * @param {{name: string, jpeg: string} | null} options.sample - `lab.data.photo`.
 * @param {(picture: Picture) => void} options.onPicture - red, green and blue, of at most MOST_PIXELS.
 * @returns {{element: HTMLElement, close: () => void}} `close` ends the camera and stops listening
 *   to what is dropped and pasted.
 */
export function pictureSource({ sample: given, onPicture }) {
  /** Counts what was asked for, since decoding takes its time, and only the latest counts. */
  let turn = 0;
  const problem = html("p", { class: "note", role: "alert", hidden: true });
  const file = html("input", { type: "file", accept: "image/*", hidden: true, onchange: () => {
    if (file.files?.length) open(file.files[0]);
    file.value = "";
  } });
  const camera = cameraStill({ onStill: take, onProblem: tell, onStart: () => void turn++ });
  const element = html("div", { class: "picture-source" },
    html("div", { class: "buttons" },
      given && html("button", { type: "button", text: given.name, onclick: openSample }),
      html("button", { type: "button", text: say("picture.open"), onclick: () => file.click() }),
      camera.button, file),
    html("p", { class: "hint", text: say("picture.hint") }),
    camera.element, problem);

  /** @param {string} text */
  function tell(text) {
    problem.textContent = text;
    problem.hidden = text === "";
  }

  /** @param {Picture} picture */
  function take(picture) {
    tell("");
    last = picture;
    onPicture(picture);
  }

  function openSample() {
    if (!given) return;
    sample ??= decoded(new Blob([bytesOf(given.jpeg).slice()], { type: "image/jpeg" }), given.name);
    follow(sample, given.name);
  }

  /** @param {File} chosen */
  function open(chosen) {
    follow(decoded(chosen, chosen.name), chosen.name);
  }

  /**
   * @param {Promise<Picture>} coming
   * @param {string} name
   */
  async function follow(coming, name) {
    const asked = ++turn;
    camera.stop();
    try {
      const picture = await coming;
      if (asked === turn) take(picture);
    } catch {
      if (asked === turn) tell(say("picture.unreadable", { name: name || say("picture.pasted") }));
    }
  }

  /** @param {DataTransfer | null} transfer */
  function receive(transfer) {
    const found = [...(transfer?.files ?? [])];
    const picture = found.find((one) => one.type.startsWith("image/")) ?? found[0];
    if (picture) open(picture);
    else tell(say("picture.none_in_it"));
  }

  const listening = new AbortController();
  const { signal } = listening;
  document.addEventListener("paste", (event) => {
    // Text is pasted into fields as ever.
    const text = event.target instanceof HTMLElement && event.target.matches("input, textarea");
    if (text && !event.clipboardData?.files.length) return;
    event.preventDefault();
    receive(event.clipboardData);
  }, { signal });
  document.addEventListener("dragover", (event) => {
    event.preventDefault(); // else the browser opens the file in place of this page
    element.classList.add("is-dragging");
  }, { signal });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) element.classList.remove("is-dragging");
  }, { signal });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    element.classList.remove("is-dragging");
    receive(event.dataTransfer);
  }, { signal });

  if (last) onPicture(last);
  else if (given) openSample();
  else tell(say("picture.no_sample"));
  return {
    element,
    close() {
      turn++;
      listening.abort();
      camera.stop();
    },
  };
}

/**
 * A button that shows what the camera sees, and takes one picture of it.
 *
 * @param {object} options
 * @param {(picture: Picture) => void} options.onStill
 * @param {(text: string) => void} options.onProblem
 * @param {() => void} options.onStart
 * @returns {{button: HTMLElement, element: HTMLElement, stop: () => void}}
 */
function cameraStill({ onStill, onProblem, onStart }) {
  /** @type {MediaStream | null} */
  let stream = null;
  let turn = 0;
  const video = html("video", { playsinline: true, "aria-label": say("picture.camera_view") });
  video.muted = true;
  const still = html("button", { type: "button", class: "main", text: say("picture.still"), onclick: () => {
    if (!video.videoWidth) return;
    const picture = pictureFrom(video, video.videoHeight, video.videoWidth, say("picture.camera"));
    stop();
    onStill(picture);
  } });
  const element = html("div", { class: "camera", hidden: true }, video,
    html("div", { class: "buttons" }, still,
      html("button", { type: "button", text: say("picture.camera_off"), onclick: stop })));
  const button = html("button", { type: "button", text: say("picture.camera"), onclick: start });

  async function start() {
    const asked = ++turn;
    onStart();
    onProblem("");
    if (!navigator.mediaDevices?.getUserMedia) {
      onProblem(say("picture.camera_problem.unknown"));
      return;
    }
    try {
      const found = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: "environment", width: { ideal: 640 }, height: { ideal: 480 } },
      });
      if (asked !== turn) {
        for (const track of found.getTracks()) track.stop();
        return;
      }
      stream = found;
      video.srcObject = found;
      element.hidden = false;
      await video.play();
      still.focus();
    } catch (error) {
      if (asked !== turn) return;
      stop();
      const name = error instanceof Error ? error.name : "";
      const known = ["NotAllowedError", "NotFoundError", "NotReadableError"];
      onProblem(say(`picture.camera_problem.${known.includes(name) ? name : "unknown"}`));
    }
  }

  function stop() {
    turn++;
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = video.srcObject = null;
    element.hidden = true;
  }
  return { button, element, stop };
}

/**
 * The pixels of a file, upright, over white where it is transparent.
 *
 * @param {Blob} file
 * @param {string} name
 * @returns {Promise<Picture>}
 */
async function decoded(file, name) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  try {
    return pictureFrom(bitmap, bitmap.height, bitmap.width, name);
  } finally {
    bitmap.close();
  }
}

/**
 * @param {CanvasImageSource} source
 * @param {number} height
 * @param {number} width
 * @param {string} name
 * @returns {Picture}
 */
function pictureFrom(source, height, width, name) {
  const [rows, columns] = boundedSize(height, width, MOST_PIXELS);
  const canvas = html("canvas", { width: columns, height: rows });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.fillStyle = "#fff";
  context.fillRect(0, 0, columns, rows);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, columns, rows);
  return { name, height: rows, width: columns, channels: 3, pixels: rgbOf(context.getImageData(0, 0, columns, rows).data) };
}
