"""How a page is looked at: wide and light, narrow and dark. axe finds nothing, it fits, and the keyboard gets in.

With the environment variable SCREENSHOTS naming a folder, a picture of each page in each look is left there.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

LOOKS = {
    "wide and light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light", "reduced_motion": "reduce"},
    "phone and dark": {"viewport": {"width": 375, "height": 812}, "color_scheme": "dark", "reduced_motion": "reduce"},
}
SCREENSHOTS = os.environ.get("SCREENSHOTS")
# The admin's colours turn slowly.
SETTLED = """() => Promise.allSettled(
  document.getAnimations().filter((one) => one instanceof CSSTransition).map((one) => one.finished))"""
# For the narrow look: what is folded is looked at, too.
UNFOLD = "() => document.querySelectorAll('main details').forEach((one) => { one.open = true; })"
# What the Tab key comes to first: something that is to be seen.
FOCUSED = """() => {
  const found = document.activeElement, box = found.getBoundingClientRect();
  return found !== document.body && box.width > 0 && box.bottom > 0 && box.top < innerHeight;
}"""


def complaints_about(page: Page, name: str, *, without: Sequence[str] = ()) -> list[str]:
    """What is wrong with a page in either look, loaded once. without: rules of axe that are not asked."""
    expect(page.locator(".htmx-request")).to_have_count(0)
    complaints = []
    for look, told in LOOKS.items():
        page.set_viewport_size(told["viewport"])
        page.emulate_media(color_scheme=told["color_scheme"])
        if look == "phone and dark":
            page.evaluate(UNFOLD)
        page.evaluate(SETTLED)
        complaints += [f"{name}, {look}: {violation}" for violation in violations(page, without=without)]
        if SCREENSHOTS:
            picture = f"{name}, {look}".replace(", ", "-").replace(" ", "-").replace(":", "-")
            page.screenshot(path=Path(SCREENSHOTS, f"{picture}.png"), full_page=True)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    if not page.evaluate(FOCUSED):
        complaints.append(f"{name}: the first Tab leads to nothing that is seen")
    return complaints


def violations(page: Page, *, without: Sequence[str] = ()) -> list[str]:
    options = {"resultTypes": ["violations"], "rules": {rule: {"enabled": False} for rule in without}}
    answer = Axe().run(page, options=options).response
    found = [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in answer["violations"]]
    if (headings := page.locator("h1").count()) != 1:
        found.append(f"has {headings} h1")
    too_wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    if too_wide > 0:
        found.append(f"is {too_wide} px too wide")
    return found
