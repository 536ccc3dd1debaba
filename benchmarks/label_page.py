"""What a browser sees of the label page; a part of benchmarks/web.py."""

import statistics

from playwright.sync_api import sync_playwright

# From the key to the frame in which the next pair stands, by the page's own clock.
_KEY_TO_NEXT = """() => new Promise((resolve) => {
  const pair = document.querySelector("#task").dataset.pair;
  const began = performance.now();
  const observer = new MutationObserver(() => {
    const task = document.querySelector("#task");
    if (!task || task.dataset.pair === pair) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => {
      const took = performance.now() - began;
      setTimeout(() => resolve(took), 200);
    }));
  });
  observer.observe(document.body, {subtree: true, childList: true});
  document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "1", bubbles: true}));
})"""


def weigh(address: str, slug: str, sign_in: tuple[str, str], *, chromium: str) -> dict[str, object]:
    """Requests and bytes of the page with an empty cache; from the key to the next pair, ten times."""
    username, password = sign_in
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_context(base_url=address).new_page()
        page.goto("/accounts/login/")
        page.get_by_label("Username").fill(username)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_load_state("networkidle")
        wire = page.context.new_cdp_session(page)
        received: list[int] = []
        wire.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
        wire.send("Network.enable")
        wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
        page.goto(f"/label/{slug}/", wait_until="networkidle")
        figures = {"requests": len(received), "kilobytes": round(sum(received) / 1000, 1)}
        nexts = [page.evaluate(_KEY_TO_NEXT) for _ in range(10)]
        browser.close()
    return figures | {"key_to_next_ms": round(statistics.median(nexts)), "shown_choice_ms": 350}
