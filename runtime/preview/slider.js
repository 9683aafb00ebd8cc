"use strict";

/* Every stage of a page: the preview has one, a report as many as it has pictures. */
for (const stage of document.querySelectorAll(".stage")) {
  const slider = stage.querySelector(".split");
  let split = 50;

  const move = (percent) => {
    split = Math.min(100, Math.max(0, percent));
    const shown = Math.round(split);
    stage.style.setProperty("--split", split);
    slider.setAttribute("aria-valuenow", shown);
    slider.setAttribute("aria-valuetext", `${shown} % before, ${100 - shown} % after`);
  };
  const drag = (event) => {
    const box = stage.getBoundingClientRect();
    move((100 * (event.clientX - box.left)) / box.width);
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    slider.focus({ preventScroll: true, focusVisible: false });
    drag(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) drag(event);
  });
  slider.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 10 : 2;
    const target = {
      ArrowLeft: split - step, ArrowDown: split - step,
      ArrowRight: split + step, ArrowUp: split + step,
      PageDown: split - 10, PageUp: split + 10, Home: 0, End: 100,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    move(target);
  });
  move(split);
}
