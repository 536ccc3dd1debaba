// The switch for single keys. Whoever speaks to the computer types letters, and whose hand is not steady presses keys
// unasked: for them the keys can be turned off, on every page of this browser (WCAG 2.1.4).
"use strict";

const singleKeys = (() => {
  const NAME = "tiebreak-single-keys";

  function stored() {
    try {
      return localStorage.getItem(NAME) !== "off";
    } catch {
      return true; // private windows may refuse storage
    }
  }

  let on = stored();

  function show() {
    for (const box of document.querySelectorAll("[data-single-keys]")) {
      box.checked = on;
      box.closest(".needs-js").hidden = false;
    }
  }

  document.addEventListener("change", (event) => {
    if (!event.target.matches("[data-single-keys]")) return;
    on = event.target.checked;
    show();
    try {
      localStorage.setItem(NAME, on ? "on" : "off");
    } catch {
      // Then it holds for this page alone.
    }
  });
  document.addEventListener("htmx:afterSettle", show);
  show();

  return {
    get on() {
      return on;
    },
  };
})();

// Which key does what on the label page: as it comes, or as the person has changed it on the page of keys.
const labelKeys = (() => {
  const NAME = "tiebreak-keys";
  const ACTIONS = [
    { name: "first", words: "Response 1, the left one, is better", keys: ["1", "a"] },
    { name: "second", words: "Response 2, the right one, is better", keys: ["2", "b"] },
    { name: "tie", words: "A tie", keys: ["0", "e"] },
    { name: "rationale", words: "Write why", keys: ["r", ""] },
    { name: "details", words: "Aspects, and how sure you are", keys: ["c", ""] },
    { name: "flag", words: "Flag the pair for the team", keys: ["f", ""] },
    { name: "skip", words: "Pass the pair on, with a reason", keys: ["s", ""] },
    { name: "undo", words: "Open the last decision again", keys: ["u", ""] },
    { name: "back", words: "The decision before", keys: ["arrowleft", ""] },
    { name: "onward", words: "The decision after", keys: ["arrowright", ""] },
    { name: "keep", words: "Keep your label of a pair that came back", keys: ["k", ""] },
    { name: "decisions", words: "The last ten decisions", keys: ["h", ""] },
    { name: "differences", words: "Mark or unmark differences", keys: ["d", ""] },
    { name: "link", words: "Scroll both responses together, or each alone", keys: ["l", ""] },
    { name: "guidelines", words: "Open or close the guidelines", keys: ["g", ""] },
    { name: "help", words: "The list of keys", keys: ["?", ""] },
  ];
  const SHOWN = { arrowleft: "←", arrowright: "→", arrowup: "↑", arrowdown: "↓", " ": "Space" };

  let changed = {};
  try {
    changed = JSON.parse(localStorage.getItem(NAME)) ?? {};
  } catch {
    // Refused or not ours: then the keys are as they come.
  }

  const of = (action) => changed[action] ?? ACTIONS.find(({ name }) => name === action).keys;
  const actionOf = (key) => ACTIONS.find(({ name }) => of(name).includes(key))?.name;
  const shown = (key) => SHOWN[key] ?? key.toUpperCase();

  function keep() {
    try {
      localStorage.setItem(NAME, JSON.stringify(changed));
      return true;
    } catch {
      return false;
    }
  }

  // What stands on the page follows. A key that was taken away is not shown.
  function show() {
    for (const mark of document.querySelectorAll("kbd[data-key]")) {
      const key = of(mark.dataset.key)[Number(mark.dataset.nth ?? 0)] || (mark.dataset.nth ? "" : of(mark.dataset.key)[1]);
      mark.textContent = key ? shown(key) : "";
      mark.hidden = !key;
      mark.closest("[aria-keyshortcuts]")?.setAttribute(
        "aria-keyshortcuts",
        of(mark.dataset.key).filter(Boolean).map((each) => each.replace("arrow", "Arrow")).join(" "),
      );
    }
  }

  document.addEventListener("htmx:afterSettle", show);
  show();

  return {
    ACTIONS,
    of,
    actionOf,
    shown,
    // The action that has the key already; nothing where it was free and is taken now.
    change(action, nth, key) {
      const other = key && actionOf(key);
      if (other) return { other };
      changed[action] = of(action).map((old, n) => (n === nth ? key : old));
      return { kept: keep() };
    },
    reset() {
      changed = {};
      keep();
    },
  };
})();
