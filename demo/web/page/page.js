/* The page: what people do, and what they are told. */

import { Dehazer, Refused } from "./dehazer.js";
import { NoWebGL } from "./pixels.js";
import { Camera, decoded } from "./sources.js";

const JPEG_QUALITY = 0.95;
const element = (id) => document.getElementById(id);
const stage = document.querySelector(".stage");
const [after, before] = [stage.querySelector(".after"), stage.querySelector(".before")];

let dehazer;
let camera = null;
let name = "street"; // of the file to save, without its ending
let turn = 0; // of what was asked for last; what comes late from another is dropped

/* ---- what is told ---- */

function state(kind, words) {
  element("status").dataset.state = kind;
  if (element("status").textContent !== words) element("status").textContent = words;
}

function say(words) {
  element("message").textContent = words;
  element("message").hidden = !words;
}

function tellProblem(error) {
  say(error instanceof Refused ? error.message : `That did not work: ${error.message}`);
  if (!(error instanceof Refused)) console.error(error);
}

function tell({ haze, milliseconds, estimateMs }) {
  const percent = Math.round(100 * haze);
  element("haze-value").textContent = `${percent} %`;
  element("haze").setAttribute("aria-valuenow", percent);
  element("haze").firstElementChild.style.width = `${percent}%`;
  element("size").textContent = `${after.width} × ${after.height}`;
  element("time").textContent = `${milliseconds.toFixed(0)} ms`;
  element("network-time").textContent = `${estimateMs.toFixed(0)} ms`;
}

function fit(width, height) {
  stage.style.aspectRatio = `${width} / ${height}`;
  stage.style.maxWidth = `calc((100vh - 130px) * ${width / height})`;
  stage.removeAttribute("data-empty");
}

/* ---- a picture, whatever it comes from ---- */

const strength = () => Number(element("strength").value) / 100;

/** Shows a bitmap before and after; false where something else was asked for meanwhile. */
async function show(bitmap, mine, options) {
  const prepared = await dehazer.prepared(bitmap, options);
  if (mine !== turn) {
    dehazer.drop(prepared);
    bitmap.close();
    return false;
  }
  fit(bitmap.width, bitmap.height);
  tell(dehazer.show(prepared, strength()));
  if (before.width !== after.width || before.height !== after.height)
    [before.width, before.height] = [after.width, after.height];
  // Takes the bitmap without a copy, so that both halves are of one frame.
  before.getContext("bitmaprenderer").transferFromImageBitmap(bitmap);
  for (const button of document.querySelectorAll("[data-save]")) button.disabled = false;
  return true;
}

async function showFile(file) {
  const mine = ++turn;
  stopCamera();
  say("");
  state("waiting", "Working");
  try {
    const { bitmap, scaled } = await decoded(file, dehazer.pixels.largestSide);
    if (mine !== turn) return bitmap.close();
    if (!(await show(bitmap, mine))) return;
    name = (file.name ?? "").replace(/\.[^.]*$/, "") || "picture";
    if (scaled) say(`This browser takes pictures up to ${dehazer.pixels.largestSide} pixels wide or high, so this one was made smaller.`);
  } catch (error) {
    if (mine === turn) tellProblem(error);
  }
  if (mine === turn) state("live", "Ready");
}

async function followCamera() {
  const mine = ++turn;
  say("");
  try {
    const opened = await Camera.open();
    if (mine !== turn) return opened.close();
    camera = opened;
    dehazer.forget();
    name = "camera";
    tellCamera();
    for (;;) {
      const bitmap = await opened.next();
      if (!bitmap || !(await show(bitmap, mine, { follows: true }))) break;
      state("live", "Live");
    }
    if (mine === turn && camera === opened) say("The camera has ended.");
  } catch (error) {
    if (mine === turn) tellProblem(error);
  }
  if (mine === turn) {
    stopCamera();
    state("live", "Ready");
  }
}

function stopCamera() {
  camera?.close();
  camera = null;
  tellCamera();
}

function tellCamera() {
  element("camera").setAttribute("aria-pressed", camera !== null);
  element("camera").textContent = camera ? "Stop the camera" : "Use the camera";
}

/* ---- what people do ---- */

function save(type) {
  dehazer.pixels.drawShown(strength()); // a canvas can be read only right after it was drawn
  const ending = { "image/png": "png", "image/jpeg": "jpg" }[type];
  after.toBlob((blob) => {
    if (!blob) return say("This browser cannot encode a picture of that size.");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${name}-dehazed.${ending}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }, type, JPEG_QUALITY);
}

function listen() {
  element("choose").onclick = () => element("file").click();
  element("file").onchange = ({ target }) => {
    if (target.files.length) showFile(target.files[0]);
    target.value = ""; // the same file can be chosen again
  };
  element("camera").onclick = () => {
    if (!camera) return followCamera();
    turn++;
    stopCamera();
    state("live", "Ready");
  };
  element("strength").oninput = () => {
    element("strength-value").textContent = `${element("strength").value} %`;
    if (dehazer.pixels.shown) dehazer.pixels.drawShown(strength());
  };
  for (const button of document.querySelectorAll("[data-save]"))
    button.onclick = () => save(button.dataset.save);
  after.addEventListener("webglcontextlost", () => {
    say("The browser has taken the graphics card away from this page; reload it.");
    state("ended", "Stopped");
  });
  listenForDrops();
}

function listenForDrops() {
  const files = (transfer) => [...(transfer?.items ?? [])].some((item) => item.kind === "file");
  const take = (transfer) => {
    const file = transfer?.files[0];
    if (!dehazer) return; // still loading, or it cannot start
    if (file) showFile(file);
    else say("There is no picture in what was dropped or pasted.");
  };
  addEventListener("dragover", (event) => {
    event.preventDefault(); // else the browser opens the file in place of the page
    element("drop").hidden = !files(event.dataTransfer);
  });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) element("drop").hidden = true; });
  addEventListener("drop", (event) => {
    event.preventDefault();
    element("drop").hidden = true;
    take(event.dataTransfer);
  });
  addEventListener("paste", (event) => take(event.clipboardData));
}

async function start() {
  listen(); // first of all, so that a picture dropped early does not replace the page
  try {
    const engine = new URLSearchParams(location.search).get("engine");
    dehazer = await Dehazer.open(after, engine);
  } catch (error) {
    state("ended", "Cannot start");
    const words = error instanceof NoWebGL
      ? "This page needs WebGL 2, which this browser does not have or has switched off."
      : `The network cannot be loaded: ${error.message}`;
    return say(words);
  }
  element("engine").textContent = dehazer.engine;
  element("model").textContent = dehazer.model.name;
  for (const id of ["choose", "camera", "strength"]) element(id).disabled = false;
  const example = await fetch("example.jpg");
  if (turn === 0) await showFile(new File([await example.blob()], "street.jpg"));
}

start();
