/* Bitmap in, clear picture out: thumbnail, estimator and apply, with the rules of the model. */

import { Pixels } from "./pixels.js";
import { smoothed } from "./smoothing.js";

/** What the page can say to its reader as it is. */
export class Refused extends Error {}

export class Dehazer {
  /** @param canvas shows the clear picture.
      @param engine `webgpu` or `wasm`; null takes WebGPU where there is, wasm else. */
  static async open(canvas, engine) {
    const pixels = new Pixels(canvas);
    const answer = await fetch(new URL("model/model.json", import.meta.url));
    if (!answer.ok) throw new Error(`model/model.json: ${answer.status} ${answer.statusText}`);
    const dehazer = new Dehazer(pixels, await answer.json());
    dehazer.engine = await dehazer.ask({ open: true, engine });
    return dehazer;
  }

  constructor(pixels, model) {
    this.pixels = pixels;
    this.model = model;
    this.worker = new Worker(new URL("estimator.js", import.meta.url), { type: "module" });
    this.last = Promise.resolve(); // the worker answers one question after the other
    this.before = null;
  }

  /** Loads and estimates; `show` of the result draws it, `drop` forgets it.

      @param follows whether the bitmap is the next one of a camera's. */
  async prepared(bitmap, { follows = false } = {}) {
    const { minimumSize, pixelsPerCell } = this.model;
    if (Math.min(bitmap.width, bitmap.height) < minimumSize)
      throw new Refused(
        `The picture has ${bitmap.width} × ${bitmap.height} pixels; ` +
          `it takes at least ${minimumSize} × ${minimumSize}.`,
      );
    const began = performance.now();
    const frame = this.pixels.load(bitmap);
    try {
      const { stride, rows, columns } = thumbnailSize(frame, this.model);
      const values = this.pixels.blockMeans(frame, stride, rows, columns);
      const luminance = luminanceOf(values);
      const estimate = await this.ask({ thumbnail: { values, rows, columns } }, [values.buffer]);
      const grid = follows ? smoothed(this.before, { ...estimate, luminance }) : estimate;
      if (follows) this.before = grid;
      const estimateMs = estimate.milliseconds;
      return { frame, grid, cell: pixelsPerCell * stride, began, estimateMs };
    } catch (error) {
      this.pixels.release(frame);
      throw error;
    }
  }

  /** Draws what `prepared` gave; returns {haze, milliseconds, estimateMs}. */
  show({ frame, grid, cell, began, estimateMs }, strength) {
    this.pixels.show(frame, grid, cell, strength);
    return { haze: hazeOf(grid), milliseconds: performance.now() - began, estimateMs };
  }

  drop({ frame }) {
    this.pixels.release(frame);
  }

  /** A new scene begins: nothing of the frames before counts. */
  forget() {
    this.before = null;
  }

  ask(question, transfer = []) {
    const { worker } = this;
    this.last = this.last.catch(() => {}).then(
      () =>
        new Promise((done, failed) => {
          worker.onmessage = ({ data }) =>
            data.error === undefined ? done(data.result) : failed(new Error(data.error));
          worker.onerror = (event) => failed(new Error(event.message || "its worker cannot start"));
          worker.postMessage(question, transfer);
        }),
    );
    return this.last;
  }
}

/** The thumbnail's size, as `thumbnail_stride` of dehaze.runtime has it. */
function thumbnailSize({ width, height }, model) {
  const { finestStride, maximumThumbnailPixels, thumbnailMultiple } = model;
  const root = Math.floor(Math.sqrt(Math.floor((height * width) / maximumThumbnailPixels)));
  let stride = Math.max(finestStride, root);
  const blocks = (size) => Math.ceil(size / stride);
  while (blocks(height) * blocks(width) > maximumThumbnailPixels) stride++;
  const rounded = (size) => Math.ceil(blocks(size) / thumbnailMultiple) * thumbnailMultiple;
  return { stride, rows: rounded(height), columns: rounded(width) };
}

function luminanceOf(thumbnail) {
  const count = thumbnail.length / 3;
  const luminance = new Float32Array(count);
  for (let i = 0; i < count; i++)
    luminance[i] = (thumbnail[i] + thumbnail[count + i] + thumbnail[2 * count + i]) / 3;
  return luminance;
}

/** The haze meter of dehaze-run: the mean of 1 - transmission, from 0 (clear) to 1. */
function hazeOf({ values, channels }) {
  const gainCount = channels - 3;
  let sum = 0;
  for (let i = 0; i < values.length; i += channels)
    for (let gain = 0; gain < gainCount; gain++) sum += 1 - 1 / Math.max(values[i + gain], 1);
  return sum / ((values.length / channels) * gainCount);
}
