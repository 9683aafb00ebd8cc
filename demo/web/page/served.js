"use strict";

/* A classic script, since browsers run no modules of a page that was opened from a file. */
if (location.protocol === "file:") {
  const message = document.getElementById("message");
  message.textContent =
    "Browsers run this page from a web server only: `python3 -m http.server` in its folder, " +
    "then open http://localhost:8000.";
  message.hidden = false;
  document.getElementById("status").dataset.state = "ended";
  document.getElementById("status").textContent = "Cannot start";
}
