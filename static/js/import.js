"use strict";

// How much of the file has gone to the server. htmx replaces the form when it was refused, so listen on the document.
document.addEventListener("htmx:xhr:progress", (event) => {
  const box = document.getElementById("upload");
  if (!box || !event.detail.lengthComputable || event.target.id !== "import-form") return;
  const share = Math.round((100 * event.detail.loaded) / event.detail.total);
  box.hidden = false;
  document.getElementById("upload-bar").value = share;
  document.getElementById("upload-share").textContent = share === 100 ? "received, being stored" : `${share}%`;
});

// What to do when it did not arrive is said by failures.js.
for (const name of ["responseError", "sendError"]) {
  document.addEventListener(`htmx:${name}`, () => {
    document.getElementById("upload").hidden = true;
  });
}

// A refused form comes back in the place of the one that had the focus: on with what is wrong in it.
document.addEventListener("htmx:afterSettle", () => {
  document.querySelector("#import-form [aria-invalid=true]")?.focus();
});
