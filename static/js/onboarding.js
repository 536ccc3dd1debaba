// Keys of a practice or qualification pair, and the time that it took. The page works without it. Loaded after keys.js.
"use strict";

(() => {
  const CHOICES = { first: "1", second: "2", tie: "tie" };
  const form = document.querySelector("[data-decide]");
  const next = document.querySelector("[data-next]");
  const shownAt = performance.now();
  let sent = false;

  next?.focus();
  form?.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
    form.elements.seconds.value = ((performance.now() - shownAt) / 1000).toFixed(3);
  });

  document.addEventListener("keydown", (event) => {
    if (!form || !singleKeys.on || event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.matches("input, textarea, select")) return;
    const choice = CHOICES[labelKeys.actionOf(event.key.toLowerCase())];
    if (choice) form.querySelector(`button[value="${choice}"]`).click();
  });
})();
