"""Pages as few meet them: at a barrier, at the end of a quota, after the reveal, with an error; and the admin."""

from collections.abc import Iterator

import pytest
from django.template.loader import render_to_string
from django.urls import reverse

from annotation.controls import set_control
from annotation.models import Choice, Role, Standing
from tests import factories
from tests.browser.looks import complaints_about
from tests.test_access import ADMIN_MODELS
from tests.world import make_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Rendered by themselves: nothing on a running site leads to them.
ERRORS = {"400.html": 400, "403_csrf.html": 403, "500.html": 500}
# Its two boxes to choose people from have a sign with a label that a span may not have; the boxes say the same.
DJANGOS_OWN = ["aria-prohibited-attr"]


def test_what_an_annotator_meets_on_the_way_is_fit_for_everybody(open_page):
    user = factories.make_user()
    places = dict(barriers(user)) | {"quota reached": quota_reached(user)}
    page = open_page(reverse("home"), user=user, reduced_motion="reduce")
    complaints = []
    for name, path in places.items():
        page.goto(path)
        assert page.url.endswith(path), f"{name} leads elsewhere"
        complaints += complaints_about(page, name)
    page.goto(revealed(user))
    page.get_by_role("button", name="Show what others said").click()
    page.get_by_role("heading", name="What others said").wait_for()
    complaints += complaints_about(page, "revealed")
    assert not complaints, "\n".join(complaints)


def barriers(user) -> Iterator[tuple[str, str]]:
    """Of a dataset each with a practice and a qualification pair, whoever labels it standing so."""
    researcher = factories.make_user(role=Role.RESEARCHER)
    for state in Standing.State:
        dataset = factories.make_dataset(slug=f"state-{state}", pairs=1, pass_percent=75, result_shows="answers")
        control = set_control(
            pair=factories.make_pair(dataset=dataset),
            use="qualification",
            choice=Choice.FIRST,
            explanation="Because response 1 is **true**.",
            by=researcher,
        )
        said = {"choice": Choice.SECOND, "right": False, "shown_swapped": True}
        if state != Standing.State.LEARNING:
            control.answers.create(annotator=user, attempt=1, **said)
        Standing.objects.create(dataset=dataset, annotator=user, state=state, note="Please talk to us.")
        yield f"label page, {state}", reverse("label", args=[dataset.slug])
        yield f"way in, {state}", reverse("onboarding", args=[dataset.slug])
    yield "qualification", reverse("qualification", args=[f"state-{Standing.State.LEARNING}"])


def quota_reached(user) -> str:
    dataset = factories.make_dataset(slug="quota", pairs=2, quota=1)
    factories.make_label(pair=dataset.pairs.first(), annotator=user)
    return reverse("label", args=[dataset.slug])


def revealed(user) -> str:
    pair = factories.make_pair(dataset=factories.make_dataset(slug="reveals", reveals=True))
    for person in (user, factories.make_user()):
        factories.make_label(pair=pair, annotator=person, rationale="It is **true**.", shown_swapped=False)
    return reverse("reveal_pair", args=["reveals", pair.pk])


def test_what_tells_of_an_error_is_fit_for_everybody(open_page):
    dataset = factories.make_dataset()
    page = open_page(reverse("home"), user=factories.make_user(), reduced_motion="reduce")
    page.route("**/broken/*", lambda route: route.fulfill(**broken(route.request.url.rpartition("/")[2])))
    complaints = []
    paths = {"403": reverse("dataset", args=[dataset.slug]), "404": "/nowhere/"}
    for name, path in (paths | {name: f"/broken/{name}" for name in ERRORS}).items():
        assert page.goto(path).status == int(name[:3])
        complaints += complaints_about(page, f"error {name}")
    assert not complaints, "\n".join(complaints)


def broken(template: str) -> dict[str, object]:
    return {"status": ERRORS[template], "content_type": "text/html", "body": render_to_string(template)}


def test_the_admin_is_fit_for_everybody(open_page):
    world = make_world()
    page = open_page(reverse("admin:index"), user=factories.make_user(role=Role.RESEARCHER), reduced_motion="reduce")
    complaints = complaints_about(page, "admin")
    paths = {name: reverse(name) for name, roles in ADMIN_MODELS.items() if Role.RESEARCHER in roles}
    paths["add a judge"] = reverse("admin:judging_judge_add")
    paths["change a dataset"] = reverse("admin:annotation_dataset_change", args=[world.dataset.pk])
    paths["a run"] = reverse("admin:judging_judgerun_change", args=[world.run.pk])
    paths["a label"] = reverse("admin:annotation_label_change", args=[world.own_label.pk])
    for name, path in paths.items():
        page.goto(path)
        complaints += complaints_about(page, f"admin, {name}", without=DJANGOS_OWN)
    assert not complaints, "\n".join(complaints)
