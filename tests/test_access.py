"""Who sees what: docs/roles.md as one table over every URL, and what an annotator's browser never receives."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from pytest_django import DjangoDbBlocker

from annotation.models import Dataset, Role, User
from tests import factories
from tests.kept import kept
from tests.world import make_world

pytestmark = pytest.mark.django_db

ALL = frozenset(Role)
LABELLERS = frozenset({Role.ANNOTATOR})
TEAM = ALL - LABELLERS
RESEARCH = frozenset({Role.RESEARCHER, Role.ADMINISTRATOR})


@dataclass(frozen=True)
class Door:
    """One URL: who comes in, what it is about, and what is sent where it only takes a POST."""

    roles: frozenset[Role]
    about: str = ""
    post: bool = False


DOORS = {
    "home": Door(ALL),
    "datasets": Door(ALL),
    "logout": Door(ALL, post=True),
    "password": Door(ALL),
    "label_any": Door(LABELLERS),
    "label": Door(LABELLERS, "dataset"),
    "label_skip": Door(LABELLERS, "dataset", post=True),
    "label_pair": Door(LABELLERS, "own_pair"),
    "label_decisions": Door(LABELLERS, "dataset"),
    "label_draft": Door(LABELLERS, "dataset", post=True),
    "keys": Door(LABELLERS),
    "reveal_pair": Door(LABELLERS, "own_pair"),
    "dataset": Door(TEAM, "dataset"),
    "study": Door(TEAM, "dataset"),
    "study_people": Door(TEAM, "dataset"),
    "study_days": Door(TEAM, "dataset"),
    "leaderboard": Door(TEAM, "dataset"),
    "ranking": Door(TEAM, "dataset"),
    "leaderboard_slices": Door(TEAM, "dataset"),
    "tournaments": Door(RESEARCH),
    "tournament_new": Door(RESEARCH),
    "tournament": Door(RESEARCH, "tournament"),
    "agreement": Door(TEAM, "dataset"),
    "agreement_file": Door(TEAM, "dataset"),
    "review": Door(TEAM, "dataset"),
    "review_count": Door(TEAM, "dataset"),
    "review_export": Door(TEAM, "dataset"),
    "review_queue": Door(TEAM, "dataset"),
    "saved_filters": Door(TEAM, "dataset"),
    "saved_filter_change": Door(TEAM, "saved_filter", post=True),
    "saved_filter_delete": Door(TEAM, "saved_filter", post=True),
    "verdict_reason": Door(TEAM, "verdict", post=True),
    "pair": Door(TEAM, "pair"),
    "pair_next": Door(TEAM, "pair"),
    "adjudicate": Door(TEAM, "pair", post=True),
    "adjudication": Door(TEAM, "dataset"),
    "adjudication_causes": Door(TEAM, "dataset"),
    "adjudicate_unanimous": Door(TEAM, "dataset"),
    "comment": Door(TEAM, "pair", post=True),
    "audits": Door(TEAM, "dataset"),
    "audit_new": Door(TEAM, "dataset"),
    "audit": Door(TEAM, "audit"),
    "audit_items": Door(TEAM, "audit"),
    "audit_export": Door(TEAM, "audit"),
    "audit_snapshot": Door(TEAM, "audit"),
    "audit_close": Door(TEAM, "audit", post=True),
    "audit_discard": Door(TEAM, "audit", post=True),
    "audit_own": Door(LABELLERS),
    "audit_blind": Door(LABELLERS, "audit"),
    "audit_decide": Door(LABELLERS, "audit_item"),
    "judges": Door(TEAM),
    "judge": Door(TEAM, "judge"),
    "run": Door(TEAM, "run"),
    "job": Door(TEAM, "job"),
    "job_progress": Door(TEAM, "job"),
    "job_cancel": Door(RESEARCH, "job", post=True),
    "job_retry": Door(RESEARCH, "job", post=True),
    "spending": Door(TEAM),
    "judge_new": Door(RESEARCH),
    "prompt_templates": Door(TEAM),
    "prompt_template": Door(TEAM, "template"),
    "prompt_template_changes": Door(TEAM, "template"),
    "prompt_template_new": Door(RESEARCH),
    "prompt_template_version": Door(RESEARCH, "template"),
    "run_new": Door(RESEARCH),
    "run_compare": Door(TEAM, "run"),
    "funnel": Door(TEAM, "run"),
    "run_filter": Door(RESEARCH, "run", post=True),
    "trust": Door(TEAM, "run"),
    "run_progress": Door(TEAM, "run"),
    "run_pause": Door(RESEARCH, "run", post=True),
    "run_budget": Door(RESEARCH, "run", post=True),
    "run_continue": Door(RESEARCH, "run", post=True),
    "run_retry_failed": Door(RESEARCH, "run", post=True),
    "training": Door(TEAM),
    "training_new": Door(RESEARCH),
    "training_compare": Door(TEAM),
    "training_run": Door(TEAM, "training_run"),
    "training_live": Door(TEAM, "training_run"),
    "training_continue": Door(RESEARCH, "training_run", post=True),
    "training_repeat": Door(RESEARCH, "training_run", post=True),
    "training_notes": Door(RESEARCH, "training_run", post=True),
    "snapshots": Door(TEAM),
    "snapshot_new": Door(RESEARCH),
    "snapshot": Door(TEAM, "snapshot"),
    "checkpoint_card": Door(TEAM, "checkpoint"),
    "checkpoint_promote": Door(RESEARCH, "checkpoint", post=True),
    "checkpoint_answers": Door(RESEARCH, "candidate_checkpoint", post=True),
    "guidelines": Door(TEAM, "dataset"),
    "guideline_changes": Door(TEAM, "dataset"),
    "look_again": Door(TEAM, "dataset"),
    "reworks": Door(TEAM, "dataset"),
    "send_back": Door(TEAM, "own_label", post=True),
    "rework_withdraw": Door(TEAM, "rework", post=True),
    "rework": Door(LABELLERS, "dataset"),
    "rework_keep": Door(LABELLERS, "own_pair", post=True),
    "notifications": Door(ALL),
    "notification_open": Door(LABELLERS, "notification", post=True),
    "notifications_read": Door(ALL, post=True),
    "notification_mail": Door(ALL, post=True),
    "dataset_settings": Door(RESEARCH, "dataset"),
    "controls": Door(RESEARCH, "dataset"),
    "control_import": Door(RESEARCH, "dataset", post=True),
    "control_withdraw": Door(RESEARCH, "control", post=True),
    "standings": Door(TEAM, "dataset"),
    "standing_change": Door(TEAM, "standing", post=True),
    "onboarding": Door(LABELLERS, "dataset"),
    "practice": Door(LABELLERS, "dataset"),
    "practice_answer": Door(LABELLERS, "answered"),
    "qualification": Door(LABELLERS, "dataset"),
    "labels_per_pair": Door(RESEARCH, "dataset"),
    "dataset_remove": Door(RESEARCH, "dataset"),
    "imports": Door(RESEARCH),
    "import_new": Door(RESEARCH),
    "import": Door(RESEARCH, "import_"),
    "import_problems": Door(RESEARCH, "import_"),
    "import_real": Door(RESEARCH, "import_", post=True),
    "export": Door(TEAM, "dataset"),
}
# For those who are not signed in.
PUBLIC = {"login"}

SECRETS = ("secret-model-x", "secret-model-y", "secret-judge", "secret-peer", "SECRET RATIONALE", "SECRET REASON")


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[SimpleNamespace]:
    with kept(django_db_blocker):
        yield make_world()


def address(name: str, world: SimpleNamespace) -> str:
    """The URL of a door, for the fixture's object that it is about."""
    about = DOORS[name].about
    if not about:
        return reverse(name)
    if about == "own_pair":
        return reverse(name, args=[world.dataset.slug, world.own_pair.pk])
    if about == "audit_item":
        return reverse(name, args=[world.audit.pk, world.audit_item.pk])
    if about == "answered":
        return reverse(name, args=[world.dataset.slug, world.control.pk])
    if about == "standing":
        return reverse(name, args=[world.dataset.slug, world.annotator.pk])
    subject = getattr(world, about)
    key = str(subject) if about == "template" else subject.slug if about == "dataset" else subject.pk
    return reverse(name, args=[key])


def knock(client: Client, name: str, world: SimpleNamespace) -> HttpResponse:
    url = address(name, world)
    # Where a page asks for a dataset by name, there is one.
    return client.post(url, {"dataset": world.dataset.slug}) if DOORS[name].post else client.get(url)


def url_names() -> set[str]:
    """Names of all URL patterns; Django's admin is tested by itself below."""

    def walk(patterns: list[URLPattern | URLResolver]) -> set[str]:
        names: set[str] = set()
        for entry in patterns:
            if isinstance(entry, URLPattern):
                names.add(entry.name or str(entry.pattern))
            elif entry.namespace != "admin":
                names |= walk(entry.url_patterns)
        return names

    return walk(get_resolver().url_patterns)


def test_every_url_is_in_the_table() -> None:
    assert url_names() == set(DOORS) | PUBLIC


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("name", list(DOORS))
def test_a_page_opens_for_its_roles_alone(name: str, role: Role, client: Client, world: SimpleNamespace) -> None:
    user = world.annotator if role == Role.ANNOTATOR else factories.make_user(role=role)
    client.force_login(user)
    status = knock(client, name, world).status_code
    if role in DOORS[name].roles:
        assert status not in {401, 403, 404, 405, 500}
    else:
        assert status in {403, 404}


@pytest.mark.parametrize("name", list(DOORS))
def test_without_a_sign_in_every_page_leads_to_it(name: str, client: Client, world: SimpleNamespace) -> None:
    response = knock(client, name, world)
    if name == "logout":
        assert response.status_code in {200, 302}
        return
    assert response.status_code in {302, 401}
    assert "/accounts/login/" in response.headers.get("Location", "") + response.content.decode()


def test_an_annotators_browser_receives_no_names_peers_or_verdicts(client: Client, world: SimpleNamespace) -> None:
    client.force_login(world.annotator)
    opened = 0
    for name in DOORS:
        response = knock(client, name, world)
        if name == "logout":
            client.force_login(world.annotator)
        received = response.content.decode() + str(dict(response.headers))
        assert not [secret for secret in SECRETS if secret in received], name
        opened += response.status_code == 200
    assert opened >= 3


def test_an_annotator_reaches_no_pair_that_somebody_else_decided(client: Client, world: SimpleNamespace) -> None:
    client.force_login(world.annotator)
    assert client.get(reverse("label_pair", args=[world.dataset.slug, world.pair.pk])).status_code == 404


def test_an_annotator_reaches_no_dataset_that_others_label(client: Client, world: SimpleNamespace) -> None:
    Dataset.objects.filter(pk=world.dataset.pk).update(everyone_labels=False)
    client.force_login(factories.make_user())
    assert client.get(reverse("label", args=[world.dataset.slug])).status_code == 404
    # Who labelled it is told that this is over.
    client.force_login(world.annotator)
    assert client.get(reverse("label", args=[world.dataset.slug])).url == reverse("home")


ADMIN_MODELS = {
    "admin:annotation_dataset_changelist": RESEARCH,
    "admin:annotation_pair_changelist": RESEARCH,
    "admin:annotation_label_changelist": RESEARCH,
    "admin:judging_judge_changelist": RESEARCH,
    "admin:judging_judgerun_changelist": RESEARCH,
    "admin:judging_prompttemplate_changelist": RESEARCH,
    "admin:jobs_job_changelist": RESEARCH,
    "admin:training_trainingrun_changelist": RESEARCH,
    "admin:training_snapshot_changelist": RESEARCH,
    "admin:annotation_user_changelist": frozenset({Role.ADMINISTRATOR}),
}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("name", list(ADMIN_MODELS))
def test_the_admin_opens_for_its_roles_alone(name: str, role: Role, client: Client) -> None:
    client.force_login(factories.make_user(role=role))
    status = client.get(reverse(name)).status_code
    assert (status == 200) == (role in ADMIN_MODELS[name])


def test_a_researcher_cannot_make_themselves_an_administrator(client: Client) -> None:
    researcher = factories.make_user(role=Role.RESEARCHER)
    client.force_login(researcher)
    url = reverse("admin:annotation_user_change", args=[researcher.pk])
    assert client.post(url, {"role": Role.ADMINISTRATOR}).status_code == 403
    assert User.objects.get(pk=researcher.pk).role == Role.RESEARCHER
