"use strict";

const element = (id) => document.getElementById(id);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const visible = () =>
  document.hidden
    ? new Promise((done) => document.addEventListener("visibilitychange", done, { once: true }))
    : undefined;

/* ---- the picture: one JPEG holds the frame above its dehazed self ---- */

let lastPicture = 0;

async function followPictures() {
  let seen = 0;
  for (;;) {
    await visible(); // nobody looks: nothing is encoded
    try {
      const answer = await fetch(`pair.jpg?after=${seen}`);
      if (answer.status === 204) continue; // none for a while; the server has waited already
      if (!answer.ok) throw new Error(answer.statusText);
      seen = Number(answer.headers.get("X-Number"));
      draw(await createImageBitmap(await answer.blob()));
      lastPicture = performance.now();
    } catch {
      seen = 0; // another run numbers from the start
      await pause(1000);
    }
  }
}

function draw(pair) {
  const width = pair.width, height = pair.height / 2;
  const stage = document.querySelector(".stage");
  for (const [name, top] of [["before", 0], ["after", height]]) {
    const canvas = stage.querySelector(`.${name}`);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    canvas.getContext("2d").drawImage(pair, 0, top, width, height, 0, 0, width, height);
  }
  stage.style.aspectRatio = `${width} / ${height}`;
  stage.style.maxWidth = `calc((100vh - 90px) * ${width / height})`;
  stage.removeAttribute("data-empty");
  pair.close();
}

/* ---- the figures ---- */

async function followFigures() {
  for (;;) {
    await visible();
    try {
      const answer = await fetch("figures.json");
      if (!answer.ok) throw new Error(answer.statusText);
      show(await answer.json());
    } catch {
      state("ended", "The run has ended");
    }
    await pause(1000);
  }
}

function state(name, words) {
  const status = element("status");
  status.dataset.state = name;
  if (status.textContent !== words) status.textContent = words; // screen readers say each change
}

function show(figures) {
  if (!figures.connected) state("lost", "Camera lost, reconnecting");
  else if (!figures.frames) state("waiting", "Waiting for the first frame");
  else if (performance.now() - lastPicture > 3000) state("waiting", "Waiting for the camera");
  else state("live", "Live");
  const set = (id, text) => { element(id).textContent = text; };
  set("source", figures.input);
  set("fps", figures.fps.toFixed(1));
  set("latency", figures.latency_ms.p50.toFixed(0));
  for (const row of document.querySelectorAll("[data-stage]")) {
    const times = figures[`${row.dataset.stage}_ms`];
    row.cells[1].textContent = times.p50 ? times.p50.toFixed(1) : "–"; // nothing is encoded
    row.cells[2].textContent = times.p95 ? times.p95.toFixed(1) : "–";
  }
  const share = (100 * figures.dropped) / Math.max(1, figures.frames + figures.dropped);
  set("uptime", duration(figures.seconds));
  set("frames", figures.frames.toLocaleString("en"));
  set("dropped", `${figures.dropped.toLocaleString("en")} (${share.toFixed(0)} %)`);
  set("reconnects", figures.reconnects);
  set("size", figures.width ? `${figures.width} × ${figures.height}` : "–");
  for (const id of ["model", "backend"]) {
    set(id, figures[id] ?? "");
    element(id).closest("[data-optional]").hidden = !figures[id];
  }
  showHaze(figures.haze);
}

function showHaze(haze) {
  element("haze-card").hidden = haze === null;
  if (haze === null) return;
  const percent = Math.round(100 * haze);
  element("haze-value").textContent = `${percent} %`;
  element("haze").setAttribute("aria-valuenow", percent);
  element("haze").firstElementChild.style.width = `${percent}%`;
}

function duration(seconds) {
  const two = (value) => String(Math.floor(value)).padStart(2, "0");
  const days = Math.floor(seconds / 86400);
  const clock = `${Math.floor((seconds % 86400) / 3600)}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`;
  return days ? `${days} d ${clock}` : clock;
}

followPictures();
followFigures();
