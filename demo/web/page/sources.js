/* Where pictures come from: a file, or a camera. Both give bitmaps, upright. */

import { Refused } from "./dehazer.js";

/** Decodes a file.

    @param largestSide in pixels; a larger picture is scaled down.
    @returns {bitmap, scaled}: whether it was scaled down. */
export async function decoded(file, largestSide) {
  let bitmap;
  try {
    // Upright by its EXIF orientation, which is every browser's default.
    bitmap = await createImageBitmap(file, { premultiplyAlpha: "none" });
  } catch {
    const name = file.name || "This";
    throw new Refused(`${name} is not a picture that this browser can read; try a JPEG or a PNG.`);
  }
  const share = largestSide / Math.max(bitmap.width, bitmap.height);
  if (share >= 1) return { bitmap, scaled: false };
  const small = await createImageBitmap(bitmap, {
    premultiplyAlpha: "none",
    resizeWidth: Math.floor(bitmap.width * share),
    resizeHeight: Math.floor(bitmap.height * share),
    resizeQuality: "high",
  });
  bitmap.close();
  return { bitmap: small, scaled: true };
}

const REFUSALS = {
  NotAllowedError: "The camera was refused. Allow it for this page in the browser, then try again.",
  NotFoundError: "No camera was found. Connect one, or choose a picture.",
  NotReadableError: "The camera cannot be opened; another program may be using it.",
};

export class Camera {
  static async open() {
    if (!navigator.mediaDevices)
      throw new Refused("Browsers give the camera to pages from https:// or localhost only.");
    const video = { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: "environment" };
    try {
      return new Camera(await navigator.mediaDevices.getUserMedia({ video }));
    } catch (error) {
      throw new Refused(REFUSALS[error.name] ?? `The camera cannot be opened: ${error.message}`);
    }
  }

  constructor(stream) {
    this.stream = stream;
    this.video = document.createElement("video");
    Object.assign(this.video, { srcObject: stream, muted: true, playsInline: true });
    this.isOpen = true;
    stream.getVideoTracks()[0].addEventListener("ended", () => this.close()); // unplugged
  }

  /** The next frame; null once the camera is closed. */
  async next() {
    if (this.video.paused && this.isOpen) await this.video.play().catch(() => this.close());
    if (this.isOpen) await Promise.race([this.frame(), this.closed]);
    return this.isOpen ? createImageBitmap(this.video) : null;
  }

  frame() {
    const { video } = this;
    return new Promise((done) =>
      video.requestVideoFrameCallback
        ? video.requestVideoFrameCallback(done)
        : requestAnimationFrame(done),
    );
  }

  close() {
    this.isOpen = false;
    for (const track of this.stream.getTracks()) track.stop();
    this.tellClosed();
  }

  closed = new Promise((done) => { this.tellClosed = done; });
}
