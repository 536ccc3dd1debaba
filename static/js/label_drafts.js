// What is said about a pair and not yet sent is kept in the browser at once and on the server soon: it outlives a
// reload, a crash, a session that ran out and a network that is gone. And the time that a person is at work on a pair.
"use strict";

const labelDrafts = (() => {
  const DRAFT_DAYS = 30;
  const SOON = 1500; // milliseconds without a keystroke before the server is told
  const AGAIN = 15000; // milliseconds before it is tried again
  const PREFIX = "tiebreak-draft:";

  const task = () => document.getElementById("task");
  const key = () => `${PREFIX}${task().dataset.user}:${task().dataset.pair}`;
  let timer = 0;

  function storage(action) {
    try {
      return action(localStorage);
    } catch {
      return null; // private windows may refuse storage: then there is no draft, and everything else works
    }
  }

  function say(words) {
    const line = document.getElementById("draft-word");
    if (line) line.textContent = words;
  }

  // Which side stands left may be another when the pair comes back; then 1 and 2 would be the wrong way round.
  const side = () => document.querySelector(".response .text")?.textContent.slice(0, 80) ?? "";

  function said() {
    const fields = {};
    for (const field of document.querySelectorAll("#rationale, #decide .question input:checked")) {
      if (field.value.trim()) fields[field.name] = field.value;
    }
    return fields;
  }

  function keep() {
    const fields = said();
    if (Object.keys(fields).length) {
      storage((s) => s.setItem(key(), JSON.stringify({ fields, side: side(), at: Date.now() })));
    } else storage((s) => s.removeItem(key()));
    clearTimeout(timer);
    timer = setTimeout(send, SOON);
  }

  async function send() {
    const form = document.getElementById("decide");
    if (!form || task().classList.contains("saving")) return;
    const body = new URLSearchParams({ pair: task().dataset.pair, ...said() });
    const token = form.elements.csrfmiddlewaretoken.value;
    let status = 0;
    let signedOut = false;
    try {
      const options = { method: "POST", body, headers: { "X-CSRFToken": token }, redirect: "manual" };
      const answer = await fetch(task().dataset.draft, options);
      status = answer.status;
      signedOut = answer.type === "opaqueredirect"; // to the sign-in
    } catch {
      // No network: said below.
    }
    if (form !== document.getElementById("decide")) return; // sent meanwhile
    if (status === 204) say("Draft saved.");
    else if (status === 409) say("This pair was kept for you as long as it could be. Decide when you are ready: nothing is lost.");
    else if (status === 403 || signedOut) say("Kept in this browser. Sign in again to go on.");
    else {
      say("The server can't be reached. What you write is kept in this browser and saved when it is back.");
      timer = setTimeout(send, AGAIN);
    }
  }

  function restore() {
    const draft = storage((s) => JSON.parse(s.getItem(key())));
    if (!draft?.fields) return;
    const same = draft.side === side();
    let back = false;
    for (const [name, value] of Object.entries(draft.fields)) {
      if (!same && name.startsWith("aspect-")) continue;
      const field = document.querySelector(`#decide [name="${CSS.escape(name)}"]${name === "rationale" ? "" : `[value="${CSS.escape(value)}"]`}`);
      if (!field) continue;
      if (field.type === "radio") {
        back ||= !field.checked;
        field.checked = true;
        field.closest("details")?.setAttribute("open", "");
      } else {
        back ||= field.value !== value;
        field.value = value;
      }
    }
    if (back) say("What you had begun to say about this pair is back.");
  }

  function dropOld() {
    storage((s) => {
      for (const name of Object.keys(s).filter((each) => each.startsWith(PREFIX))) {
        const { at } = JSON.parse(s.getItem(name));
        if (Date.now() - at > DRAFT_DAYS * 86400e3) s.removeItem(name);
      }
    });
  }

  document.addEventListener("input", ({ target }) => {
    if (target.matches("#rationale, #decide .question input")) keep();
  });
  addEventListener("online", () => {
    if (document.getElementById("decide") && Object.keys(said()).length) send();
  });
  addEventListener("offline", () => say("No network. What you write is kept in this browser and saved when it is back."));
  dropOld();

  return {
    restore,
    drop() {
      clearTimeout(timer);
      storage((s) => s.removeItem(key()));
    },
  };
})();

// Seconds of work: a stretch without any sign of the person counts as idle beyond the first minute, and what passes
// while the page is hidden or another window is in front counts not at all.
const activeTime = (() => {
  const IDLE = 60000;
  let active = 0;
  let last = performance.now();
  let away = document.hidden;

  function sign() {
    const now = performance.now();
    if (!away) active += Math.min(now - last, IDLE);
    last = now;
  }
  function look() {
    sign();
    away = document.hidden || !document.hasFocus();
  }
  for (const name of ["pointermove", "pointerdown", "keydown", "wheel", "scroll", "touchmove"]) {
    addEventListener(name, sign, { passive: true, capture: true });
  }
  for (const name of ["focus", "blur"]) addEventListener(name, look);
  document.addEventListener("visibilitychange", look);

  return {
    start() {
      active = 0;
      last = performance.now();
    },
    seconds() {
      sign();
      return (active / 1000).toFixed(3);
    },
  };
})();
