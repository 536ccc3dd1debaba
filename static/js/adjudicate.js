// The desk, where pairs are adjudicated one after the other: a key for each choice and each cause, Enter to decide.
// Loaded after keys.js; the keys of the page itself are in review.js.
"use strict";

(() => {
  const CHOICES = { 1: "1", 2: "2", 0: "tie" };
  const CAUSES = { a: "ambiguous", b: "both_bad", f: "factual", t: "taste", g: "guideline", m: "mistake" };

  const form = () => document.querySelector("#adjudication form");
  const radio = (name, value) => form().querySelector(`input[name=${name}][value="${value}"]`);

  function choose(name, value) {
    const option = radio(name, value);
    option.checked = true;
    option.focus();
    option.dispatchEvent(new Event("change", { bubbles: true }));
  }

  // Each option shows its key.
  function label() {
    for (const [name, keys] of [["choice", CHOICES], ["cause", CAUSES]]) {
      for (const [key, value] of Object.entries(keys)) {
        const place = radio(name, value).closest("label");
        if (place.querySelector("kbd")) continue;
        const shown = document.createElement("kbd");
        shown.textContent = key;
        shown.setAttribute("aria-hidden", "true");
        place.append(shown);
      }
    }
  }

  document.addEventListener("keydown", (event) => {
    if (!singleKeys.on || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (document.querySelector("dialog[open]") || !form()) return;
    const target = event.target;
    if (target.closest("textarea, select, input:not([type=radio], [type=checkbox])")) {
      // From the note, Escape leads back to the keys.
      if (event.key === "Escape") target.blur();
      return;
    }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key in CHOICES) choose("choice", CHOICES[key]);
    else if (key in CAUSES) choose("cause", CAUSES[key]);
    else if (key === "n") form().querySelector("textarea").focus();
    else if (key === "Enter" && !target.closest("a, button, summary")) form().requestSubmit();
    else return;
    event.preventDefault();
  });

  document.addEventListener("htmx:afterSettle", label);
  label();
})();
