// Moments in the reader's own zone. Without this script they stand there in the server's zone, with its name.
(() => {
  const day = { day: "numeric", month: "short", year: "numeric" };
  const minute = { ...day, hour: "2-digit", minute: "2-digit" };
  const forms = Object.fromEntries(
    Object.entries({ date: day, minutes: minute, seconds: { ...minute, second: "2-digit" } })
      .map(([name, form]) => [name, new Intl.DateTimeFormat("en-GB", form)]),
  );
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

  const rewrite = (root) => {
    for (const time of root.querySelectorAll("time[data-moment]")) {
      time.title ||= `${time.textContent}; shown in ${zone}`;
      time.textContent = forms[time.dataset.moment].format(new Date(time.dateTime));
    }
  };

  document.addEventListener("DOMContentLoaded", () => rewrite(document));
  document.addEventListener("htmx:load", (event) => rewrite(event.target));
})();
