"""Auditing as annotators do it: blind first, one at a time, nothing twice and nothing lost."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation.assignment import claim_next
from annotation.models import Label, Pair, Role, Skip, User
from annotation.reveal import AUDITED
from judging.audits import auditing
from judging.models import Audit, AuditItem
from tests import factories
from tests.judging.audits.made import draw_sample, make_distilled

pytestmark = pytest.mark.django_db

SECRETS = ("SECRET REASON", "SECRET REFERENCE", "secret-judge", "secret-model")


@pytest.fixture
def auditor(client):
    user = factories.make_user()
    client.force_login(user)
    return user


def make_audit(*, pairs: int = 6, size: int = 6, **fields: object) -> Audit:
    return draw_sample(run=make_distilled(pairs=pairs, **fields).run, dimensions=["verdict"], size=size, seed=1)


def token(text: str) -> str:
    return re.search(r'name="shown" value="([^"]+)"', text)[1]


def open_page(client: Client, audit: Audit) -> str:
    answer = client.get(reverse("audit_blind", args=[audit.pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def choose(client: Client, audit: Audit, choice: str = "1"):
    shown = token(open_page(client, audit))
    return client.post(reverse("audit_blind", args=[audit.pk]), {"shown": shown, "choice": choice})


def decide(client: Client, item: AuditItem, **said: str):
    url = reverse("audit_decide", args=[item.audit_id, item.pk])
    return client.post(url, {"shown": token(client.get(url).content.decode())} | said)


def mine(audit: Audit, user: User) -> AuditItem:
    return audit.items.get(auditor=user, state__in=["claimed", "revealed"])


def test_nothing_of_the_label_reaches_the_auditor_before_the_blind_choice(client, auditor):
    audit = make_audit()
    page = open_page(client, audit)
    item = mine(audit, auditor)
    other = audit.items.filter(state="free").first()
    urls = [
        reverse("audit_own"),
        reverse("audit_decide", args=[audit.pk, item.pk]),
        reverse("audit_decide", args=[audit.pk, other.pk]),
        reverse("audit", args=[audit.pk]),
        reverse("audit_items", args=[audit.pk]),
        reverse("audit_export", args=[audit.pk]),
        reverse("audit_snapshot", args=[audit.pk]),
        reverse("audits", args=[audit.dataset.slug]),
        reverse("pair", args=[item.pair_id]),
        reverse("run", args=[audit.run_id]),
        reverse("dataset", args=[audit.dataset.slug]),
        reverse("leaderboard", args=[audit.dataset.slug]),
        reverse("label_pair", args=[audit.dataset.slug, item.pair_id]),
        reverse("label", args=[audit.dataset.slug]),
        reverse("home"),
    ]
    received = [page]
    for url in urls:
        for follow in (True, False):
            answer = client.get(url, follow=follow)
            received.append(answer.content.decode() + str(dict(answer.headers)))
    for text in received:
        assert not [secret for secret in SECRETS if secret in text]
    # Nor is the label hidden in the page: two pages that differ in the label alone are the same but for their tokens.
    AuditItem.objects.filter(pk=item.pk).update(distilled=(item.distilled + 1) % 3)
    assert clean(open_page(client, audit)) == clean(page)


def clean(page: str) -> str:
    """A page without its tokens, which differ each time."""
    return re.sub(r'(?:name="(?:shown|csrfmiddlewaretoken)" value=|x-csrftoken": )"[^"]+"', "", page)


def test_a_decision_sent_before_the_blind_choice_is_not_taken(client, auditor):
    audit = make_audit()
    shown = token(open_page(client, audit))
    item = mine(audit, auditor)
    answer = client.post(reverse("audit_decide", args=[audit.pk, item.pk]), {"shown": shown, "right": "1"})
    assert answer.url == reverse("audit_blind", args=[audit.pk])
    item.refresh_from_db()
    assert (item.state, item.outcome) == ("claimed", "")


def test_the_whole_way_of_one_label(client, auditor):
    audit = make_audit()
    answer = choose(client, audit, "1")
    item = mine(audit, auditor)
    assert answer.url == reverse("audit_decide", args=[audit.pk, item.pk])
    # 1 is the left response: in the pair's own terms that is 2 where the sides are swapped.
    assert item.blind_choice == (2 if item.swapped else 1)
    page = client.get(answer.url).content.decode()
    for secret in ("SECRET REASON", "SECRET REFERENCE"):
        assert secret in page
    assert ("the sides have changed places" in page) == item.swapped
    written = {0: "tie", 1: "1", 2: "2"}
    right = written[(item.distilled + 1) % 3]
    assert "Say why" in decide(client, item, right=right).content.decode()
    assert decide(client, item, right=right, cause="factual").url == reverse("audit_blind", args=[audit.pk])
    item.refresh_from_db()
    assert (item.state, item.outcome, item.cause) == ("decided", "wrong", "factual")
    assert item.right_choice == (item.distilled + 1) % 3
    assert item.seconds >= 0


@pytest.mark.parametrize("right", ["undecidable", "broken"])
def test_a_label_may_be_neither_right_nor_wrong(client, auditor, right):
    audit = make_audit()
    choose(client, audit)
    item = mine(audit, auditor)
    decide(client, item, right=right, cause="cut", note="<script>alert(1)</script>")
    item.refresh_from_db()
    assert (item.outcome, item.right_choice) == (right, None)
    assert "<script>alert" not in client.get(reverse("audit_decide", args=[audit.pk, item.pk])).content.decode()


def test_a_cause_of_its_own_needs_a_word(client, auditor):
    audit = make_audit()
    choose(client, audit)
    item = mine(audit, auditor)
    assert decide(client, item, right="broken", cause="other").status_code == 422
    assert decide(client, item, right="nonsense", cause="cut").status_code == 422


def test_a_right_label_needs_one_key_and_keeps_no_cause(client, auditor):
    audit = make_audit()
    choose(client, audit)
    item = mine(audit, auditor)
    decide(client, item, right={0: "tie", 1: "1", 2: "2"}[item.distilled], cause="taste")
    item.refresh_from_db()
    assert (item.outcome, item.cause, item.right_choice) == ("right", "", None)


def test_the_blind_choice_stands_once_the_label_was_seen(client, auditor):
    audit = make_audit()
    shown = token(open_page(client, audit))
    url = reverse("audit_blind", args=[audit.pk])
    client.post(url, {"shown": shown, "choice": "tie"})
    answer = client.post(url, {"shown": shown, "choice": "1"}, follow=True)
    assert "your blind choice stands" in answer.content.decode()
    assert mine(audit, auditor).blind_choice == 0


def test_where_one_stopped_is_where_one_goes_on(client, auditor):
    audit = make_audit()
    page = open_page(client, audit)
    assert clean(open_page(client, audit)) == clean(page)
    choose(client, audit)
    assert client.get(reverse("audit_blind", args=[audit.pk])).url == reverse(
        "audit_decide", args=[audit.pk, mine(audit, auditor).pk]
    )


def test_undo_opens_the_last_decision_and_keeps_the_one_before(client, auditor):
    audit = make_audit()
    choose(client, audit)
    item = mine(audit, auditor)
    decide(client, item, right="undecidable", cause="taste")
    page = open_page(client, audit)
    assert reverse("audit_decide", args=[audit.pk, item.pk]) in page
    decide(client, item, right="broken", cause="cut")
    item.refresh_from_db()
    assert item.outcome == "broken"
    assert [(each["outcome"], each["cause"]) for each in item.history] == [("undecidable", "taste")]
    decide(client, item, right="broken", cause="cut")
    item.refresh_from_db()
    assert len(item.history) == 1


def test_an_annotator_who_could_still_label_the_pair_is_not_given_its_label(client, auditor):
    made = make_distilled(pairs=3, labels_per_pair=1)
    audit = draw_sample(run=made.run, dimensions=[], size=3, seed=0)
    assert "Nothing left to audit" in open_page(client, audit)
    factories.make_label(pair=made.pairs[1], annotator=auditor)
    open_page(client, audit)
    assert mine(audit, auditor).pair == made.pairs[1]


def test_the_same_responses_in_a_dataset_that_people_label_count_too(client, auditor):
    made = make_distilled(pairs=2)
    audit = draw_sample(run=made.run, dimensions=[], size=2, seed=0)
    test_set = factories.make_dataset(slug="test-set", labels_per_pair=2)
    first, second = made.pairs[0].response_1, made.pairs[0].response_2
    Pair.objects.create(
        dataset=test_set, prompt=made.pairs[0].prompt, response_1=second, response_2=first, external_id="twin"
    )
    factories.make_slots(dataset=test_set)
    open_page(client, audit)
    assert mine(audit, auditor).pair == made.pairs[1]
    choose(client, audit)
    decide(client, mine(audit, auditor), right="broken", cause="cut")
    assert "Nothing left to audit" in open_page(client, audit)
    test_set.everyone_labels = False
    test_set.save()
    assert "Which response is better?" in open_page(client, audit)


def test_who_has_seen_a_label_labels_the_pair_no_more(client, auditor):
    made = make_distilled(pairs=1)
    audit = draw_sample(run=made.run, dimensions=[], size=1, seed=0)
    choose(client, audit)
    made.dataset.labels_per_pair = 2
    made.dataset.save()
    factories.make_slots(dataset=made.dataset)
    assert Skip.objects.get(pair=made.pairs[0], annotator=auditor).reason == AUDITED
    assert claim_next(user=auditor, dataset=made.dataset) is None
    assert claim_next(user=factories.make_user(), dataset=made.dataset) is not None


def test_a_pair_that_has_all_its_labels_is_audited_and_where_it_wants_more_its_auditor_gives_none(client, auditor):
    """As an imported test set is, whose labels are other people's."""
    made = make_distilled(pairs=1, labels_per_pair=1)
    audit = draw_sample(run=made.run, dimensions=[], size=1, seed=0)
    assert auditing.open_items(audit=audit, user=auditor) == 0
    assert auditing.finds_nobody(audit=audit)
    factories.make_label(pair=made.pairs[0], annotator=factories.make_user(is_active=False))
    assert not auditing.finds_nobody(audit=audit)
    choose(client, audit)
    made.dataset.labels_per_pair = 2
    made.dataset.save()
    factories.make_slots(dataset=made.dataset)
    assert claim_next(user=auditor, dataset=made.dataset) is None


def test_a_label_given_before_does_not_change_after_its_annotator_saw_the_judges(client, auditor):
    made = make_distilled(pairs=1, labels_per_pair=1)
    factories.make_label(pair=made.pairs[0], annotator=auditor)
    audit = draw_sample(run=made.run, dimensions=[], size=1, seed=0)
    choose(client, audit)
    label = Label.objects.get()
    assert label.audited_at is not None
    # What others said they have not seen: changes after a reveal are counted without this label.
    assert label.revealed_at is None
    assert not Skip.objects.exists()


def test_a_claim_that_ran_out_goes_to_somebody_else_who_begins_anew(client, auditor):
    audit = make_audit(pairs=1, size=1)
    choose(client, audit, "1")
    item = mine(audit, auditor)
    late_page = client.get(reverse("audit_decide", args=[audit.pk, item.pk])).content.decode()
    other = factories.make_user()
    assert auditing.claim_item(audit=audit, user=other) is None
    AuditItem.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    taken = auditing.claim_item(audit=audit, user=other)
    assert (taken.state, taken.auditor, taken.blind_choice, taken.seconds) == ("claimed", other, None, None)
    assert [(each["auditor"], each["blind"]) for each in taken.history] == [(auditor.pk, 2 if item.swapped else 1)]
    answer = client.post(
        reverse("audit_decide", args=[audit.pk, item.pk]), {"shown": token(late_page), "right": "1", "cause": "cut"}
    )
    assert answer.status_code == 404
    # Who has seen the label never chooses blind about it again.
    AuditItem.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert auditing.claim_item(audit=audit, user=auditor) is None


def test_a_blind_choice_that_comes_too_late_is_not_saved_and_says_so(client, auditor):
    audit = make_audit(pairs=1, size=1)
    shown = token(open_page(client, audit))
    AuditItem.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    auditing.claim_item(audit=audit, user=factories.make_user())
    answer = client.post(reverse("audit_blind", args=[audit.pk]), {"shown": shown, "choice": "1"}, follow=True)
    assert "Nothing was saved" in answer.content.decode()
    assert audit.items.get().blind_choice is None


def test_a_choice_after_the_time_that_nobody_took_over_is_kept(client, auditor):
    audit = make_audit()
    shown = token(open_page(client, audit))
    AuditItem.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    client.post(reverse("audit_blind", args=[audit.pk]), {"shown": shown, "choice": "1"})
    assert mine(audit, auditor).state == "revealed"


def test_a_page_that_was_made_for_somebody_else_decides_nothing(client, auditor):
    audit = make_audit()
    other = Client()
    other.force_login(factories.make_user())
    shown = token(open_page(other, audit))
    assert client.post(reverse("audit_blind", args=[audit.pk]), {"shown": shown, "choice": "1"}).status_code == 404
    forged = client.post(reverse("audit_blind", args=[audit.pk]), {"shown": shown + "x", "choice": "1"})
    assert forged.status_code == 422
    assert not AuditItem.objects.filter(state="revealed").exists()


def test_looking_ahead_claims_nothing(client, auditor):
    audit = make_audit()
    client.head(reverse("audit_blind", args=[audit.pk]))
    client.get(reverse("audit_blind", args=[audit.pk]), headers={"sec-purpose": "prefetch"})
    assert not AuditItem.objects.exclude(state="free").exists()


def test_an_audit_that_is_closed_gives_out_nothing(client, auditor):
    audit = make_audit()
    reviewer = Client()
    reviewer.force_login(factories.make_user(role=Role.REVIEWER))
    reviewer.post(reverse("audit_close", args=[audit.pk]))
    assert client.get(reverse("audit_blind", args=[audit.pk])).status_code == 404
    reviewer.post(reverse("audit_close", args=[audit.pk]), {"reopen": "1"})
    assert client.get(reverse("audit_blind", args=[audit.pk])).status_code == 200


def test_a_dataset_of_another_team_is_not_audited(client, auditor):
    audit = make_audit()
    audit.dataset.everyone_labels = False
    audit.dataset.save()
    assert client.get(reverse("audit_blind", args=[audit.pk])).status_code == 404
    assert "There is nothing to audit" in client.get(reverse("audit_own")).content.decode()
    audit.dataset.annotators.add(auditor)
    assert "Start auditing" in client.get(reverse("audit_own")).content.decode()


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_audit_each_label_once():
    audit = make_audit(pairs=40, size=40)
    people = [factories.make_user() for _ in range(8)]

    def work(user: User) -> int:
        done = 0
        try:
            while item := auditing.claim_item(audit=audit, user=user):
                assert auditing.choose_blind(item_id=item.pk, user=user, choice=1, seconds=1)
                right = auditing.Decision(outcome=AuditItem.Outcome.RIGHT, seconds=1)
                assert auditing.decide(item_id=item.pk, user=user, decision=right)
                done += 1
        finally:
            connections.close_all()
        return done

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(work, people))
    assert sum(done) == 40
    assert audit.items.filter(state="decided", outcome="right").count() == 40
