/**
 * A box over a picture: the part of it that is searched for. A pointer draws it; arrows move it, and with
 * Shift they move its lower right corner.
 */

import { html } from "../vendor/lit-html/lit-html.js";
import { View } from "./view.js";

/** Fractions of the picture's sides. */
const STEP = 0.02;
const SMALLEST = 0.05;

const clamped = (value, low, high) => Math.min(Math.max(value, low), high);

/** Says `choose` with the box as its `detail` (left, top, right, bottom as fractions), or `leave`. */
export class CropBox extends View {
  #box = [0.25, 0.25, 0.75, 0.75];
  #start = null;

  connectedCallback() {
    this.addEventListener("pointerdown", (event) => this.#begin(event));
    this.addEventListener("pointermove", (event) => this.#drag(event));
    for (const event of ["pointerup", "pointercancel"]) this.addEventListener(event, () => (this.#start = null));
    this.addEventListener("keydown", (event) => this.#press(event));
    this.draw();
    queueMicrotask(() => this.querySelector(".box").focus());
  }

  template() {
    const [left, top, right, bottom] = this.#box.map((side) => Math.round(side * 100));
    return html`<div role="group" aria-label="Part to search for" class="crop">
      <div class="box" tabindex="0" role="group" aria-roledescription="box"
        aria-label="From ${left} % and ${top} % to ${right} % and ${bottom} %. Arrows move it, Shift and arrows resize it."></div>
      <div class="actions">
        <button @click=${() => this.#choose()}>Search this part</button>
        <button @click=${() => this.dispatchEvent(new Event("leave"))}>Cancel</button>
      </div>
    </div>`;
  }

  drawn() {
    const [left, top, right, bottom] = this.#box.map((side) => `${side * 100}%`);
    const { style } = this.querySelector(".box");
    Object.assign(style, { left, top, width: `calc(${right} - ${left})`, height: `calc(${bottom} - ${top})` });
  }

  #choose() {
    const detail = this.#box.map((side) => Number(side.toFixed(4)));
    this.dispatchEvent(new CustomEvent("choose", { detail }));
  }

  #begin(event) {
    if (event.target.closest(".actions")) return;
    event.preventDefault();
    this.setPointerCapture(event.pointerId);
    this.#start = this.#at(event);
    this.querySelector(".box").focus();
  }

  #drag(event) {
    if (!this.#start) return;
    const [[x, y], [toX, toY]] = [this.#start, this.#at(event)];
    const box = [Math.min(x, toX), Math.min(y, toY), Math.max(x, toX), Math.max(y, toY)];
    if (box[2] - box[0] < SMALLEST || box[3] - box[1] < SMALLEST) return;
    this.#box = box;
    this.draw();
  }

  #at({ clientX, clientY }) {
    const { left, top, width, height } = this.getBoundingClientRect();
    return [clamped((clientX - left) / width, 0, 1), clamped((clientY - top) / height, 0, 1)];
  }

  #press(event) {
    const steps = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
    if (event.key === "Enter" && event.target.matches(".box")) this.#choose();
    if (event.key === "Escape") {
      event.preventDefault(); // It closes the box, not the picture.
      this.dispatchEvent(new Event("leave"));
    }
    if (!Object.hasOwn(steps, event.key)) return;
    event.preventDefault();
    this.#box = (event.shiftKey ? resized : moved)(this.#box, steps[event.key]);
    this.draw();
  }
}

function moved([left, top, right, bottom], [dx, dy]) {
  const [x, y] = [clamped(dx, -left, 1 - right), clamped(dy, -top, 1 - bottom)];
  return [left + x, top + y, right + x, bottom + y];
}

function resized([left, top, right, bottom], [dx, dy]) {
  return [left, top, clamped(right + dx, left + SMALLEST, 1), clamped(bottom + dy, top + SMALLEST, 1)];
}
