// The review list and one pair: keys, and the answers of forms that were not right.
// Everything that a key does is also a link or a button on the page.
"use strict";

(() => {
  const typing = (target) =>
    target.isContentEditable || target.closest("textarea, select, input:not([type=radio], [type=checkbox])");

  const follow = (key) => {
    const target = document.querySelector(`[data-key="${key}"]`);
    if (target) target.click();
    return Boolean(target);
  };

  // On the list, j and k go from pair to pair.
  function step(by) {
    const links = [...document.querySelectorAll("#list .asked a")];
    if (!links.length) return false;
    const at = links.indexOf(document.activeElement);
    const to = Math.min(Math.max(at + by, 0), links.length - 1);
    links[to].focus();
    links[to].closest("li").scrollIntoView({ block: "nearest" });
    return true;
  }

  const keys = {
    j: () => step(1) || follow("j"),
    k: () => step(-1) || follow("k"),
    d: () => follow("d"),
    u: () => follow("u"),
    "?": () => {
      document.getElementById("keys").showModal();
      return true;
    },
  };

  document.addEventListener("keydown", (event) => {
    if (!singleKeys.on || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (typing(event.target)) return;
    const dialog = document.querySelector("dialog[open]");
    if (dialog) {
      if (dialog.id === "keys" && event.key === "?") dialog.close();
      return;
    }
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act && act()) event.preventDefault();
  });

  for (const button of document.querySelectorAll(".needs-js")) button.hidden = false;
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens).showModal();
  });

  // 422 is a form that comes back with what is wrong in it: it belongs on the page.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status === 422) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });

  // A session that ran out leads to the sign-in and back; what was being written goes along.
  const written = (field) => `tiebreak-written:${location.pathname}:${field.name}`;

  document.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.xhr.status !== 401) return;
    for (const field of document.querySelectorAll("textarea")) {
      if (field.value.trim()) sessionStorage.setItem(written(field), field.value);
    }
  });
  for (const field of document.querySelectorAll("textarea")) {
    const text = sessionStorage.getItem(written(field));
    if (text === null) continue;
    sessionStorage.removeItem(written(field));
    field.value = text;
    const line = document.createElement("p");
    line.className = "message info";
    line.textContent = "You had to sign in again, so this was not saved. What you had written is back in its place.";
    document.getElementById("messages").replaceChildren(line);
  }

  // The differences stay marked on the pairs before and after, although only the responses were renewed.
  document.addEventListener("htmx:pushedIntoHistory", () => {
    const marked = new URLSearchParams(location.search).get("diff");
    for (const link of document.querySelectorAll("a[rel=prev], a[rel=next]")) {
      const to = new URL(link.href);
      if (marked) to.searchParams.set("diff", marked);
      else to.searchParams.delete("diff");
      link.href = to;
    }
  });

  // After a swap the focus goes on where the reader was: to what is wrong, or to the part that was renewed.
  document.addEventListener("htmx:afterSwap", (event) => {
    const part = document.getElementById(event.detail.target.id);
    if (!part || !["adjudication", "comments", "responses"].includes(part.id)) return;
    const wrong = part.querySelector("[aria-invalid=true], .invalid input");
    const next = wrong || part.querySelector(part.id === "comments" ? "textarea" : "[data-key=d], summary");
    if (next) next.focus({ preventScroll: !wrong });
  });
})();
