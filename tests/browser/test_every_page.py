"""Every page in a real browser, wide and light, narrow and dark: axe finds nothing, it fits, and stays on our host."""

from urllib.parse import urlsplit

import pytest
from django.urls import reverse

from annotation.models import Role
from tests import factories
from tests.browser.looks import complaints_about
from tests.test_access import DOORS, address
from tests.world import make_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Not pages: fragments and files.
NO_PAGES = {
    "adjudication_causes",
    "agreement_file",
    "audit_export",
    "audit_snapshot",
    "import_problems",
    "job_progress",
    "pair_next",
    "review_count",
    "run_progress",
    "review_export",
    "study_days",
    "study_people",
    "training_live",
}
PAGES = [name for name, door in DOORS.items() if not door.post and name not in NO_PAGES]


def test_every_page_is_fit_for_everybody(open_page, live_server):
    world = make_world()
    users = {Role.ANNOTATOR: world.annotator, Role.RESEARCHER: factories.make_user(role=Role.RESEARCHER)}
    # One a person, with the files that it has met: so every page is parsed, but not every script fetched, each time.
    pages = {user: open_page("about:blank", user=user, reduced_motion="reduce") for user in [None, *users.values()]}
    complaints, asked = [], []
    for page in pages.values():
        page.on("request", lambda request: asked.append(request.url))
    for name in ["login", *PAGES]:
        user = next((user for role, user in users.items() if name in DOORS and role in DOORS[name].roles), None)
        page, path = pages[user], reverse("login") if name == "login" else address(name, world)
        asked.clear()
        page.goto(path)
        complaints += complaints_about(page, name)
        complaints += [f"{name} asks {url}" for url in asked if is_elsewhere(url, live_server.url)]
    assert not complaints, "\n".join(complaints)


def is_elsewhere(url: str, ours: str) -> bool:
    return urlsplit(url).scheme in {"http", "https"} and urlsplit(url).netloc != urlsplit(ours).netloc
