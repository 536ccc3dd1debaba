// What is said about a pair and not yet sent is kept in the browser at once and on the server soon: it outlives a
// reload, a crash, a session that ran out and a network that is gone. And the time that a person is at work on a pair.
"use strict";

const labelDrafts = (() => {
  const DRAFT_DAYS = 30;
  const SOON = 1500; // milliseconds without a keystroke before the server is told
  const AGAIN = 15000; // milliseconds before it is tried again
  const GIVE_UP = 30000; // milliseconds in which the server may answer
  const POSTS = 5;
  const PREFIX = "tiebreak-draft:";
  const BACK = "What you had begun to say about this pair is back.";

  const task = () => document.getElementById("task");
  const key = () => `${PREFIX}${task().dataset.user}:${task().dataset.pair}`;
  // The server keeps no blanks around words.
  const trimmed = (fields) => Object.entries(fields ?? {}).map(([name, value]) => [name, value.trim()]).sort();
  const same = (one, other) => JSON.stringify(trimmed(one)) === JSON.stringify(trimmed(other));
  let copy = null; // what the browser keeps of the pair in view: see keep()
  let timer = 0;
  let sending = null; // the AbortController of what is on its way
  let back = ""; // said together with what comes of saving it

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

  function later(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(send, milliseconds);
  }

  // ---- what is said

  // Which side stands left may be another when the pair comes back; then 1 and 2 would be the wrong way round.
  const side = () => document.querySelector(".response .text")?.textContent.slice(0, 80) ?? "";

  const asked = () => document.querySelectorAll("#rationale, #decide .question input");

  function collect(valueOf) {
    const fields = {};
    for (const field of asked()) {
      const value = valueOf(field);
      if (value && value.trim()) fields[field.name] = value;
    }
    return fields;
  }

  const said = () => collect((field) => (field.type === "radio" ? field.checked && field.value : field.value));

  // As it came from the server, whatever the browser put into the fields since.
  const served = () => collect((field) => (field.type === "radio" ? field.defaultChecked && field.value : field.defaultValue));

  function fill(fields) {
    const turned = copy.side !== side();
    for (const field of asked()) {
      if (turned && field.name.startsWith("aspect-")) continue;
      const value = fields[field.name] ?? "";
      if (field.type === "radio") {
        field.checked = field.value === value;
        if (field.checked && value) field.closest("details")?.setAttribute("open", "");
      } else if (field.value !== value) field.value = value;
    }
  }

  // ---- kept here

  function write(changes) {
    copy = { ...copy, ...changes };
    storage((s) => s.setItem(key(), JSON.stringify(copy)));
  }

  // Earlier versions kept the last one alone.
  const posted = () => [copy.posted ?? []].flat();

  function forget() {
    copy = null;
    storage((s) => s.removeItem(key()));
  }

  // `saved` and `decided` are the server's own times, of the draft and the decision on which this was written; `posted`
  // is what was sent since the server last answered, and `told` whether it has said that it keeps all of this.
  function keep() {
    const { saved, decided } = task().dataset;
    write({ fields: said(), side: side(), saved, decided, told: false, at: Date.now() });
    later(SOON);
  }

  function restore() {
    clearTimeout(timer);
    back = "";
    copy = storage((s) => JSON.parse(s.getItem(key())));
    if (!copy?.fields) {
      copy = null;
      return;
    }
    const there = served();
    const fields = whatStands(there);
    fill(fields ?? there);
    if (!fields) {
      forget();
      return;
    }
    const changed = !same(said(), there);
    if (changed && Object.keys(said()).length) say((back = BACK));
    if (changed || !copy.told) keep();
  }

  // What was written here, what the page brought, or both? Told by what each was built on and not by clocks, which
  // differ between devices. Null: what the page brought.
  function whatStands(there) {
    const { saved, decided } = task().dataset;
    const both = joined(there, copy.fields);
    if ((copy.decided ?? "") !== decided) return copy.told || same(both, there) ? null : both; // decided since
    const ours = (copy.saved ?? "") === saved || posted().some((fields) => same(fields, there));
    if (ours || !(copy.told || saved)) return copy.fields;
    return copy.told ? null : both; // written elsewhere since
  }

  // Neither the words that another device saved nor those that never left this one are lost.
  function joined(there, here) {
    const [one, other] = [there.rationale ?? "", here.rationale ?? ""];
    const longer = [one, other].find((each) => each.includes(one) && each.includes(other));
    return { ...here, ...there, rationale: longer ?? `${one}\n\n${other}` };
  }

  function dropOld() {
    storage((s) => {
      for (const name of Object.keys(s).filter((each) => each.startsWith(PREFIX))) {
        const { at } = JSON.parse(s.getItem(name));
        if (Date.now() - at > DRAFT_DAYS * 86400e3) s.removeItem(name);
      }
    });
  }

  // ---- sent to the server

  const REFUSED = {
    403: "Kept in this browser. Sign in again to go on.",
    404: "This dataset is gone, or no longer yours to label. What you wrote is kept in this browser only: copy it if you need it.",
    409: "This pair was kept for you as long as it could be. Decide when you are ready: nothing is lost.",
    412: "You have decided this pair since, in another tab or on another device. What you write here is kept in this browser: open the pair again under Last decisions, and it is there.",
    413: "This is more than the server takes. It is kept in this browser: shorten it, and it is saved.",
    423: "You may not label this dataset at the moment. What you wrote is kept in this browser only.",
    422: "The server does not take this as it is: too long, or not fit to be kept. It is kept in this browser: change it, and it is saved.",
  };

  async function send() {
    const form = document.getElementById("decide");
    if (!form || !copy) return;
    // One after the other: an older one that is slow must not come last.
    if (sending || task().classList.contains("saving")) {
      later(SOON);
      return;
    }
    const fields = said();
    // As often as the network fails; the last few are enough to be known again.
    write({ posted: [...posted().filter((before) => !same(before, fields)), fields].slice(-POSTS) });
    const answer = await post(form, fields);
    // Decided or passed on meanwhile.
    if (!copy || form !== document.getElementById("decide")) return;
    if (answer?.status === 204) saved(answer.headers.get("Draft-Saved") ?? "", fields);
    else if (answer?.type === "opaqueredirect") say(REFUSED[403]); // to the sign-in
    else if (answer && answer.status < 500 && answer.status !== 429) {
      say(REFUSED[answer.status] ?? `The server does not take this (${answer.status}). What you write is kept in this browser.`);
    } else {
      say(
        answer
          ? `The server could not save this yet (${answer.status}). What you write is kept in this browser and saved as soon as it can be.`
          : "The server can't be reached. What you write is kept in this browser and saved when it is back.",
      );
      later(AGAIN);
    }
  }

  // The server's answer; null where there was none.
  async function post(form, fields) {
    const { pair, decided, draft } = task().dataset;
    const body = new URLSearchParams({ pair, decided_at: decided, ...fields });
    const headers = { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
    const given = new AbortController();
    const late = setTimeout(() => given.abort(), GIVE_UP);
    sending = given;
    try {
      return await fetch(draft, { method: "POST", body, headers, redirect: "manual", signal: given.signal });
    } catch {
      return null;
    } finally {
      clearTimeout(late);
      sending = null;
    }
  }

  function saved(when, fields) {
    task().dataset.saved = when;
    write({ saved: when, posted: [], told: same(copy.fields, fields) });
    if (copy.told && !Object.keys(fields).length) forget();
    say(`${back} Draft saved.`.trim());
  }

  document.addEventListener("input", ({ target }) => {
    if (!target.matches("#rationale, #decide .question input")) return;
    back = "";
    keep();
  });
  addEventListener("online", () => {
    if (copy && !copy.told) send();
  });
  addEventListener("offline", () => say("No network. What you write is kept in this browser and saved when it is back."));
  dropOld();

  return {
    restore,
    // It is sent with a decision: what is still on its way is of before that.
    drop() {
      clearTimeout(timer);
      sending?.abort();
      forget();
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
