// Comments: a list of people to choose from while somebody types @. Without it the names are typed, and stand below
// the field to be read.
"use strict";

(() => {
  const MOST = 8;
  const WRITTEN = /(?:^|[^\w.+@/-])@([\w.+@-]*)$/;

  let field = null;
  let list = null;
  let at = 0; // where the name begins in the field

  const box = (element) => element.closest?.("[data-mentions]");
  const options = () => (list ? [...list.children] : []);

  function names(holder) {
    return [...holder.querySelectorAll(".people li")].map((item) => item.textContent.slice(1));
  }

  function close() {
    list?.remove();
    field?.removeAttribute("aria-activedescendant");
    field?.removeAttribute("aria-controls");
    list = null;
  }

  function select(chosen) {
    for (const option of options()) option.setAttribute("aria-selected", String(option === chosen));
    field.setAttribute("aria-activedescendant", chosen.id);
    chosen.scrollIntoView({ block: "nearest" });
  }

  function take(option) {
    const name = `${option.dataset.name} `;
    const taken = field;
    close();
    taken.setRangeText(name, at, taken.selectionStart, "end");
    taken.focus();
  }

  function show(found) {
    list = document.createElement("ul");
    list.className = "mention-list";
    list.id = "mention-list";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "People you can mention");
    for (const [number, name] of found.entries()) {
      const option = document.createElement("li");
      option.id = `mention-${number}`;
      option.dataset.name = name;
      option.setAttribute("role", "option");
      option.textContent = `@${name}`;
      list.append(option);
    }
    field.after(list);
    field.setAttribute("aria-controls", list.id);
    select(list.firstElementChild);
  }

  function look(target) {
    close();
    field = target;
    const written = WRITTEN.exec(field.value.slice(0, field.selectionStart));
    if (!written) return;
    const begun = written[1].toLowerCase();
    at = field.selectionStart - begun.length;
    const found = names(box(field)).filter((name) => name.toLowerCase().startsWith(begun) && name !== written[1]);
    if (found.length) show(found.slice(0, MOST));
  }

  document.addEventListener("input", ({ target }) => {
    if (target.matches("textarea") && box(target)) look(target);
  });

  // In the capturing phase: with the list open, keys are for the list.
  document.addEventListener(
    "keydown",
    (event) => {
      if (!list || event.target !== field || event.isComposing) return;
      const all = options();
      const here = all.findIndex((option) => option.getAttribute("aria-selected") === "true");
      if (event.key === "ArrowDown") select(all[(here + 1) % all.length]);
      else if (event.key === "ArrowUp") select(all[(here + all.length - 1) % all.length]);
      else if (event.key === "Enter" || event.key === "Tab") take(all[here]);
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );

  // Before the field loses the focus to the click.
  document.addEventListener("pointerdown", (event) => {
    const option = event.target.closest?.(".mention-list li");
    if (!option) return;
    event.preventDefault();
    take(option);
  });

  document.addEventListener("focusout", ({ target }) => {
    if (target === field) close();
  });
})();
