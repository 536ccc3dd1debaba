// The label page: keys, the moment in which a decision shows, how the responses are looked at.
// The page works without any of it; htmx sends the forms, this file says when.
"use strict";

(() => {
  const MOMENT = 350; // milliseconds in which the chosen button shows before the next pair

  const task = () => document.getElementById("task");

  let saving = false;
  let decidedAt = 0;
  function say(words) {
    const line = document.createElement("p");
    line.className = "message info";
    line.textContent = words;
    document.getElementById("messages").append(line);
  }

  // ---- one decision at a time

  function busy(on) {
    saving = on;
    task().classList.toggle("saving", on);
    task().setAttribute("aria-busy", String(on));
  }

  // In the capturing phase, before htmx sees it: a second click or key while a save is under way is nobody's wish.
  document.addEventListener(
    "submit",
    (event) => {
      if (!task().contains(event.target)) return;
      if (saving) {
        event.preventDefault();
        event.stopImmediatePropagation();
        return;
      }
      const verdict = event.submitter;
      if (!event.target.matches("[data-decide]") || !verdict) return;
      for (const picked of document.querySelectorAll(".verdict.picked")) picked.classList.remove("picked");
      if (wantsRationale()) {
        event.preventDefault();
        event.stopImmediatePropagation();
        verdict.classList.add("picked");
        return;
      }
      decidedAt = performance.now();
      event.target.elements.seconds.value = activeTime.seconds();
      verdict.classList.add("chosen");
    },
    true,
  );

  // Where the dataset asks for a reason that is not there yet, the choice waits for it.
  function wantsRationale() {
    const field = document.getElementById("rationale");
    if (!field) return false;
    const { length } = field.value.trim();
    const least = Math.max(Number(field.dataset.least), "required" in field.dataset ? 1 : 0);
    if (length >= least || (!length && !("required" in field.dataset))) return false;
    field.focus();
    const more = least > 1 ? `${least} characters at least, ${length} so far` : "in a few words";
    document.getElementById("draft-word").textContent = `Say why first: ${more}. Then Ctrl+Enter sends your choice.`;
    return true;
  }

  const decides = ({ requestConfig }) => requestConfig.verb !== "get";

  document.addEventListener("htmx:beforeRequest", ({ detail }) => {
    if (decides(detail)) busy(true);
  });

  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const { status } = detail.xhr;
    // Too late (409) and not understood (422) come with a page that says so.
    if (status === 409 || status === 422) {
      detail.shouldSwap = true;
      detail.isError = false;
    } else if (status === 200 && detail.requestConfig.elt.matches("[data-decide]")) {
      labelDrafts.drop();
      tabs?.postMessage(task().dataset.user + ":" + task().dataset.pair);
      const rest = Math.max(0, Math.round(decidedAt + MOMENT - performance.now()));
      detail.swapOverride = `outerHTML swap:${rest}ms`;
    }
  });

  function ready() {
    busy(false);
    activeTime.start();
    labelDrafts.restore();
    arrange();
  }

  document.addEventListener("htmx:afterSettle", ({ detail }) => {
    if (detail.elt.id === "responses") arrange();
    if (detail.elt.id !== "task") return;
    ready();
    fetchDecisions();
    scrollTo({ top: 0 });
    task().focus({ preventScroll: true });
  });

  // What to do then is said by failures.js; here the page becomes ready for it.
  function failed() {
    busy(false);
    for (const chosen of document.querySelectorAll(".verdict.chosen")) chosen.classList.remove("chosen");
  }

  for (const name of ["responseError", "sendError", "timeout"]) document.addEventListener(`htmx:${name}`, failed);

  // ---- keys

  const typing = (element) =>
    element.isContentEditable ||
    element.matches("textarea, select, input:not([type=checkbox], [type=button], [data-keys])");

  function press(id) {
    document.getElementById(id)?.click();
  }

  const decide = (value) => document.querySelector(`#decide button[name=choice][value="${value}"]`)?.click();

  const ACTIONS = {
    first: () => decide("1"),
    second: () => decide("2"),
    tie: () => decide("tie"),
    rationale: () => document.getElementById("rationale")?.focus(),
    details: () => enter(document.querySelector("#questions [data-picks]")),
    flag: openFlag,
    skip: openSkip,
    undo: () => press("back"),
    back: () => press("back"),
    onward: () => press("onward"),
    keep: () => press("keep-label"),
    decisions: () => toggle("decisions"),
    differences: () => press("compare"),
    link: () => press("linked"),
    guidelines: () => toggle("guidelines"),
    help: () => document.getElementById("keys").showModal(),
  };

  function toggle(id) {
    const details = document.getElementById(id);
    if (!details) return;
    details.open = !details.open;
    if (details.open) details.scrollIntoView({ block: "nearest" });
  }

  // ---- questions with radio buttons: a key picks, and the next question comes

  function enter(group) {
    if (!group) return;
    (group.querySelector("input:checked") ?? group.querySelector("input")).focus();
    group.scrollIntoView({ block: "nearest" });
  }

  function openFlag() {
    const box = document.getElementById("flag-box");
    if (!box) return;
    box.open = true;
    enter(box.querySelector("[data-picks]"));
  }

  function pick(group, key) {
    const radio = [...group.querySelectorAll("input")].find((each) => each.dataset.keys.includes(key));
    if (!radio) return false;
    radio.checked = true;
    radio.dispatchEvent(new Event("input", { bubbles: true }));
    const next = group.nextElementSibling;
    const box = group.closest("details");
    // Passing a pair on is a form of its own: Enter sends it, and until then another number picks anew.
    if (box?.id === "skip") (radio.value === "other" ? document.getElementById("note") : radio).focus();
    else if (next?.matches("[data-picks]")) enter(next);
    else {
      if (box && !radio.value) box.open = false;
      task().focus({ preventScroll: true });
    }
    return true;
  }

  function openSkip() {
    const skip = document.getElementById("skip");
    if (!skip) return;
    skip.open = true;
    skip.querySelector("input[type=radio]").focus();
  }

  function leaveField(field) {
    field.blur();
    const skip = document.getElementById("skip");
    if (skip?.contains(field)) skip.open = false;
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.ctrlKey && event.target.id === "rationale") {
      event.preventDefault();
      document.querySelector(".verdict.picked")?.click();
      return;
    }
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.key === "Escape" && task().contains(event.target) && event.target.matches("textarea, input")) {
      leaveField(event.target);
      return;
    }
    if (event.key === "Enter" && event.target.matches("#decide input")) {
      event.preventDefault(); // no decision by the way
      return;
    }
    if (!singleKeys.on || saving || event.repeat || typing(event.target)) return;
    const key = event.key.toLowerCase();
    const dialog = document.querySelector("dialog[open]");
    if (dialog) {
      if (dialog.id !== "keys" || labelKeys.actionOf(key) !== "help") return;
      dialog.close();
      event.preventDefault();
      return;
    }
    const group = event.target.closest?.("[data-picks]");
    if (group && key.length === 1 && (pick(group, key) || /[0-9]/.test(key))) {
      event.preventDefault();
      return;
    }
    // Who is about to pass the pair on decides nothing by a key that is none of the reasons.
    if (event.target.closest?.("#skip[open]")) return;
    if (event.target.matches("input[type=radio]") && key.startsWith("arrow")) return;
    const action = labelKeys.actionOf(key);
    if (!action) return;
    ACTIONS[action]();
    event.preventDefault();
  });

  // ---- how the responses are looked at: each scrolls for itself where it is long, together if wanted

  const stored = (name, value) => {
    try {
      if (value === undefined) return localStorage.getItem(name);
      localStorage.setItem(name, value);
    } catch {
      // Then it holds for this page alone.
    }
    return null;
  };

  let together = stored("tiebreak-linked") !== "off";

  const columns = () => [...document.querySelectorAll(".response > .text")];

  function arrange() {
    const texts = columns();
    const long = texts.filter((text) => text.scrollHeight > text.clientHeight + 1);
    for (const text of document.querySelectorAll(".response > .text, .prompt .prose")) {
      if (text.scrollHeight > text.clientHeight + 1) text.tabIndex = 0;
    }
    const box = document.getElementById("linked");
    if (!box) return;
    box.checked = together;
    box.closest(".linked").hidden = texts.length < 2 || !long.length;
  }

  let leading = null;

  document.addEventListener(
    "scroll",
    ({ target }) => {
      if (!together || !target.matches?.(".response > .text") || (leading && leading !== target)) return;
      const other = columns().find((text) => text !== target);
      if (!other) return;
      leading = target;
      const share = target.scrollTop / Math.max(1, target.scrollHeight - target.clientHeight);
      other.scrollTop = share * (other.scrollHeight - other.clientHeight);
      requestAnimationFrame(() => requestAnimationFrame(() => (leading = null)));
    },
    true,
  );

  document.addEventListener("change", ({ target }) => {
    if (target.id !== "linked") return;
    together = target.checked;
    stored("tiebreak-linked", together ? "on" : "off");
  });

  addEventListener("resize", arrange);

  // ---- the edge: the guidelines as they were left; the last decisions as they are when they are looked at

  const roomy = matchMedia("(min-width: 78rem)").matches;

  const guidelinesOpen = () => (stored("tiebreak-guidelines") ?? (roomy ? "open" : "closed")) === "open";

  function openEdge() {
    const guidelines = document.getElementById("guidelines");
    if (guidelines) guidelines.open = guidelinesOpen();
    const keys = document.getElementById("keys-list");
    if (keys) keys.open = roomy;
  }

  function fetchDecisions() {
    const details = document.getElementById("decisions");
    if (details?.open) htmx.ajax("GET", details.dataset.address, { target: "#decisions-list", swap: "innerHTML" });
  }

  document.addEventListener(
    "toggle",
    ({ target }) => {
      if (target.id === "guidelines" && target.open !== guidelinesOpen()) {
        stored("tiebreak-guidelines", target.open ? "open" : "closed");
      }
      if (target.id === "decisions") fetchDecisions();
      // What opens above the verdicts comes up from behind them, by click as by key.
      if (target.open && target.matches("#flag-box, #skip")) target.scrollIntoView({ block: "nearest" });
    },
    true,
  );

  // ---- two tabs: what was decided in the one is not asked in the other

  const tabs = "BroadcastChannel" in window ? new BroadcastChannel("tiebreak-label") : null;
  tabs?.addEventListener("message", ({ data }) => {
    if (saving || data !== `${task().dataset.user}:${task().dataset.pair}` || document.getElementById("onward")) return;
    say("You have decided this pair in another tab. Reload this page for the next one.");
  });

  // A page out of the back-forward cache shows a pair that may long be decided.
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  openEdge();
  ready();
})();
