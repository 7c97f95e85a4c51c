/**
 * Pictograms of 24 x 24, drawn with lines. They are decoration: what a button does is its label.
 */

import { svg } from "../vendor/lit-html/lit-html.js";

const icon = (shapes) =>
  svg`<svg class="icon" viewBox="0 0 24 24" width="20" height="20" fill="none" stroke="currentColor"
    stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${shapes}</svg>`;

export const SEARCH = icon(svg`<circle cx="11" cy="11" r="6.5" /><path d="m16 16 4.5 4.5" />`);
export const PHOTO = icon(svg`<rect x="3" y="6" width="18" height="14" rx="2.5" /><circle cx="12" cy="13" r="3.6" />
  <path d="M8 6l1.4-2.2h5.2L16 6" />`);
export const FILTER = icon(svg`<path d="M4 6h16M7 12h10M10 18h4" />`);
export const ADD = icon(svg`<path d="M12 5v14M5 12h14" />`);
export const JOBS = icon(svg`<path d="M4 19V9M10 19V5M16 19v-7M21 19H3" />`);
export const KEYS = icon(svg`<rect x="2.5" y="6" width="19" height="12" rx="2" /><path d="M6 10h.01M10 10h.01M14 10h.01M18 10h.01M8 14h8" />`);
export const CLOSE = icon(svg`<path d="M6 6l12 12M18 6 6 18" />`);
export const TURN = icon(svg`<path d="M4 9h13l-3-3M20 15H7l3 3" />`);
export const BEFORE = icon(svg`<path d="m15 5-7 7 7 7" />`);
export const NEXT = icon(svg`<path d="m9 5 7 7-7 7" />`);
