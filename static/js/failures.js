// A form that htmx sent and that was not taken: what happened and what to do, said where a reader hears it.
// Requests that only look (GET) fail quietly: what they would have renewed still stands.
"use strict";

(() => {
  const WORDS = {
    403: "This page was opened before you last signed in, so nothing was saved. Copy what you have written, reload the page and send it again.",
    404: "That is not there any more, or it is no longer yours. Reload the page.",
    413: "That is larger than the server takes. Make it smaller, or ask an administrator to raise the limit.",
  };

  function tell(words) {
    let line = document.getElementById("trouble");
    if (!line) {
      line = document.createElement("p");
      line.id = "trouble";
      line.className = "message error";
      line.setAttribute("role", "alert");
      document.getElementById("messages").append(line);
    }
    line.textContent = words;
    line.hidden = false;
    line.scrollIntoView({ block: "nearest" });
  }

  const sent = ({ detail }) => detail.requestConfig.verb !== "get";

  document.addEventListener("htmx:beforeRequest", (event) => {
    const line = document.getElementById("trouble");
    if (line && sent(event)) line.hidden = true;
  });
  document.addEventListener("htmx:responseError", (event) => {
    const { status } = event.detail.xhr;
    const other = `The server could not save this (${status}). What you have written is still here: try again.`;
    if (sent(event)) tell(WORDS[status] ?? other);
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (sent(event)) tell("The server can't be reached. What you have written is still here: try again.");
  });
  // A form that came back whole, with its words beside the fields: the first that is wrong is where one goes on.
  document.querySelector(".field.invalid :is(input, select, textarea):not([type=hidden])")?.focus();

  document.addEventListener("htmx:timeout", (event) => {
    if (sent(event)) tell("The server took too long. Try again: what it did save is not saved twice.");
  });
})();
