// The page of keys: choose one, press another.
"use strict";

(() => {
  const rows = document.getElementById("key-rows");
  const word = document.getElementById("key-word");
  // Keys that move about in a page, or must never act.
  const NEVER = new Set(["tab", "enter", "escape", "backspace", "shift", "control", "alt", "meta", "capslock", "dead"]);

  function say(words) {
    word.textContent = words;
    word.hidden = false;
  }

  const wordsOf = (action) => labelKeys.ACTIONS.find(({ name }) => name === action).words;

  function cell(action, nth) {
    const key = labelKeys.of(action.name)[nth];
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button key";
    button.dataset.action = action.name;
    button.dataset.nth = nth;
    button.textContent = key ? labelKeys.shown(key) : "none";
    button.setAttribute("aria-label", `${action.words}, ${nth ? "other key" : "key"}: ${key ? labelKeys.shown(key) : "none"}`);
    const data = document.createElement("td");
    data.append(button);
    return data;
  }

  function draw() {
    rows.replaceChildren(
      ...labelKeys.ACTIONS.map((action) => {
        const row = document.createElement("tr");
        const name = document.createElement("th");
        name.scope = "row";
        name.textContent = action.words;
        row.append(name, cell(action, 0), cell(action, 1));
        return row;
      }),
    );
  }

  let waiting = null;

  function leave() {
    waiting?.classList.remove("waiting");
    waiting = null;
  }

  rows.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    leave();
    waiting = button;
    button.classList.add("waiting");
    say("Press a key. Delete takes it away, Escape leaves it as it is.");
  });

  document.addEventListener("keydown", (event) => {
    if (!waiting || event.ctrlKey || event.altKey || event.metaKey) return;
    const key = event.key.toLowerCase();
    if (key === "tab") {
      leave();
      return;
    }
    event.preventDefault();
    const { action, nth } = waiting.dataset;
    if (key === "escape") {
      leave();
      say("Left as it was.");
      return;
    }
    if (NEVER.has(key)) return;
    const pressed = key === "delete" ? "" : key;
    const { other, kept } = labelKeys.change(action, Number(nth), pressed);
    if (other === action) say("It is that already.");
    else if (other) say(`${labelKeys.shown(key)} is taken: “${wordsOf(other)}”. Press another, or change that one first.`);
    else {
      leave();
      draw();
      rows.querySelector(`[data-action="${action}"][data-nth="${nth}"]`).focus();
      say(kept ? "Kept in this browser." : "This browser keeps nothing: the key holds until you leave the page.");
    }
  });

  document.getElementById("reset").addEventListener("click", () => {
    leave();
    labelKeys.reset();
    draw();
    say("All keys are as they come.");
  });

  draw();
})();
