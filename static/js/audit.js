// The pages of an auditor: keys, and the time that was really spent. They work without any of it.
// Loaded after keys.js, which tells whether single keys are wanted, and which a person has changed on the page of keys.
"use strict";

(() => {
  const IDLE = 60_000; // milliseconds without a sign of life after which time does not count
  const SETTLE = 300; // milliseconds in which a key that was meant for the page before is not taken for this one
  const arrived = performance.now();
  let saving = false;
  let active = 0;
  let last = performance.now();

  function alive() {
    const now = performance.now();
    active += Math.min(now - last, IDLE);
    last = now;
  }
  for (const sign of ["pointermove", "keydown", "scroll", "click"]) addEventListener(sign, alive, { passive: true });

  const form = document.querySelector("#decide, #outcome");
  const keys = document.getElementById("keys");
  const outcome = document.getElementById("outcome");

  form?.addEventListener("submit", (event) => {
    if (saving) {
      event.preventDefault();
      return;
    }
    alive();
    saving = true;
    form.elements.seconds.value = (active / 1000).toFixed(3);
    event.submitter?.classList.add("chosen");
  });

  // A page out of the back-forward cache shows what may long be decided.
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  const typing = (element) => element.isContentEditable || element.matches("textarea, select, input[type=text]");
  const needsCause = () => outcome.elements.right.value && outcome.elements.right.value !== outcome.dataset.right;

  // A click on a tile only chooses it; a key that needs no cause saves at once.
  function chooseOutcome(radio) {
    radio.checked = true;
    if (!needsCause()) {
      outcome.requestSubmit();
      return;
    }
    const causes = document.getElementById("causes");
    causes.scrollIntoView({ block: "nearest" });
    (causes.querySelector("input:checked") ?? causes.querySelector("input")).focus();
  }

  function chooseCause(radio) {
    if (!needsCause()) return;
    radio.checked = true;
    if (radio.value === "other" && !outcome.elements.note.value.trim()) outcome.elements.note.focus();
    else outcome.requestSubmit();
  }

  // What this page alone has a key for goes before a key that somebody has given to what the label page has as well.
  const own = new Set(outcome ? ["n"] : []);
  for (const { dataset } of document.querySelectorAll("[data-own-key], [data-cause]")) own.add(dataset.ownKey ?? dataset.cause);

  function keysOf(action, atFirst) {
    const chosen = action ? labelKeys.of(action).filter((key) => key && !own.has(key)) : [];
    return chosen.length || !atFirst ? chosen : [atFirst];
  }

  for (const mark of document.querySelectorAll("kbd[data-key]")) {
    const [key] = keysOf(mark.dataset.key, mark.dataset.atFirst);
    if (key) mark.textContent = labelKeys.shown(key);
    mark.hidden = !key;
  }
  for (const one of document.querySelectorAll("[data-action][aria-keyshortcuts]")) {
    one.setAttribute("aria-keyshortcuts", keysOf(one.dataset.action).map((key) => key.toUpperCase()).join(" "));
  }

  const takes = ({ dataset }, key) => dataset.ownKey === key || keysOf(dataset.action, dataset.atFirst).includes(key);
  const withKey = (key) => [...document.querySelectorAll("[data-own-key], [data-action]")].find((one) => takes(one, key));

  function act(key) {
    const chosen = withKey(key);
    if (chosen?.matches("button, a")) chosen.click();
    else if (chosen) chooseOutcome(chosen);
    else if (key === "n" && outcome) outcome.elements.note.focus();
    else if (outcome?.querySelector(`[data-cause="${CSS.escape(key)}"]`)) chooseCause(outcome.querySelector(`[data-cause="${CSS.escape(key)}"]`));
    else return false;
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.repeat) return;
    if (event.key === "Escape" && event.target.matches("textarea")) {
      event.target.blur();
      return;
    }
    if (performance.now() - arrived < SETTLE) return;
    if (!singleKeys.on || saving || typing(event.target)) return;
    const key = event.key.toLowerCase();
    const dialog = document.querySelector("dialog[open]");
    if (dialog ? keysOf("help").includes(key) : act(key)) {
      dialog?.close();
      event.preventDefault();
    }
  });

  for (const button of document.querySelectorAll("#show-keys")) {
    button.hidden = false;
    button.addEventListener("click", () => keys.showModal());
  }
  if (matchMedia("(min-width: 78rem)").matches) {
    for (const details of document.querySelectorAll(".label-edge details")) details.open = true;
  }
})();
