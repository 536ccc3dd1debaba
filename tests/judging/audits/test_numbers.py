"""The pages of an audit: drawing it, its numbers and where they lead, its files, and what training is told."""

import csv
import io
import json
import re

import pytest
from django.urls import reverse

from annotation.models import Choice, Role
from judging.audits import auditing
from judging.audits.numbers import AuditNumbers
from judging.audits.snapshot import PRIOR_AUDITS, AuditedLabel, Stratum, snapshot_of
from judging.models import Audit, AuditItem, JudgeRun
from tests import factories
from tests.judging.audits.made import draw_sample, draw_suspicious, make_distilled

pytestmark = pytest.mark.django_db
Outcome = AuditItem.Outcome


@pytest.fixture
def reviewer(client):
    user = factories.make_user(role=Role.REVIEWER)
    client.force_login(user)
    return user


def audit_all(audit: Audit, outcomes: dict[int, str]) -> None:
    """Decide every item: by position what is said, else right; the blind choice always agrees but where it is wrong."""
    user = factories.make_user()
    while item := auditing.claim_item(audit=audit, user=user):
        outcome = Outcome(outcomes.get(item.position, "right"))
        other = Choice((item.distilled + 1) % 3)
        wrong = outcome == Outcome.WRONG
        auditing.choose_blind(item_id=item.pk, user=user, choice=other if wrong else item.distilled, seconds=2)
        cause = "" if outcome == Outcome.RIGHT else "factual"
        decision = auditing.Decision(outcome=outcome, right_choice=other if wrong else None, cause=cause, seconds=3)
        auditing.decide(item_id=item.pk, user=user, decision=decision)


def text_of(client, name: str, *args: object, query: str = "", status: int = 200) -> str:
    answer = client.get(reverse(name, args=args) + query)
    assert answer.status_code == status
    return answer.content.decode()


def make_decided(**fields: object) -> Audit:
    audit = draw_sample(run=make_distilled(pairs=30).run, dimensions=["verdict"], size=12, seed=2, **fields)
    audit_all(audit, {1: "wrong", 2: "wrong", 5: "undecidable", 7: "broken"})
    return audit


def test_the_form_draws_a_sample_and_a_seed_that_was_not_given_is_kept(client, reviewer):
    made = make_distilled()
    given = {"mode": "sample", "run": made.run.pk, "size": 6, "strata": ["verdict", "source"], "minimum": 1}
    answer = client.post(reverse("audit_new", args=[made.dataset.slug]), given)
    audit = Audit.objects.get()
    assert answer.url == reverse("audit", args=[audit.pk])
    assert (audit.items.count(), audit.created_by, audit.run) == (6, reviewer, made.run)
    assert set(audit.recipe["strata"]) == {"verdict", "source"}
    assert "Nothing is audited yet" in text_of(client, "audit", audit.pk)


def test_a_form_that_cannot_be_drawn_says_what_to_do(client, reviewer):
    made = make_distilled()
    url = reverse("audit_new", args=[made.dataset.slug])
    given = {"mode": "sample", "run": made.run.pk, "size": 5, "strata": ["verdict"], "minimum": 3}
    assert "smaller minimum" in client.post(url, given).content.decode()
    given = {"mode": "suspicious", "run": made.run.pk, "size": 5}
    assert "Choose at least one sign" in client.post(url, given).content.decode()
    given = {"mode": "suspicious", "run": made.run.pk, "size": 5, "signals": ["unlikely"]}
    assert "whose probabilities" in client.post(url, given).content.decode()
    assert not Audit.objects.exists()


def test_a_run_of_another_dataset_is_no_choice(client, reviewer):
    made = make_distilled()
    elsewhere = make_distilled(slug="elsewhere").run
    answer = client.post(
        reverse("audit_new", args=[made.dataset.slug]), {"mode": "sample", "run": elsewhere.pk, "size": 5}
    )
    assert answer.status_code == 422


def test_a_dataset_without_runs_says_how_to_get_one(client, reviewer):
    dataset = factories.make_dataset()
    assert "No judge has labelled" in text_of(client, "audit_new", dataset.slug)
    assert "Draw the first labels" in text_of(client, "audits", dataset.slug)


def test_the_numbers_are_those_of_the_items_and_every_number_leads_to_them(client, reviewer):
    audit = make_decided()
    page = text_of(client, "audit", audit.pk)
    assert "16.7%" in page
    links = re.findall(r'<a[^>]*href="(/audits/\d+/labels/[^"]*)"[^>]*>([\d,.%]+)</a>', page)
    assert len(links) > 20
    for url, shown in links:
        if shown.endswith("%"):
            continue
        listed = client.get(url.replace("&amp;", "&"))
        assert listed.status_code == 200
        found = re.search(r"<p>(\d+) labels?</p>", listed.content.decode())
        assert (found[1] if found else "0") == shown, url


def test_the_estimates_weigh_by_stratum():
    audit = make_decided(proportional=False)
    numbers = AuditNumbers(audit)
    assert numbers.error_rate.hits == 2
    wrong = {each.number: each.share for each in numbers.strata}
    expected = sum(each.population * wrong[each.number] for each in numbers.strata) / 30
    assert numbers.error_rate.estimate.share == pytest.approx(expected)
    assert {rate.name: rate.hits for rate in numbers.rates} == {
        "right": 8,
        "wrong": 2,
        "undecidable": 1,
        "broken": 1,
        "not_right": 4,
    }
    assert numbers.blind_agreed == 10
    assert [(cause.name, cause.n, cause.wrong) for cause in numbers.causes] == [("factual", 4, 2)]
    assert numbers.more_until(0.9) == 0
    assert numbers.more_until(0.01) == 18


def test_how_many_more_follows_the_width_that_is_asked(client, reviewer):
    audit = make_decided()
    assert "you may stop" in text_of(client, "audit", audit.pk, query="?width=90")
    assert re.search(r"<strong>\d+ more</strong>", text_of(client, "audit", audit.pk, query="?width=1"))
    assert "a tenth of a point at least" in text_of(client, "audit", audit.pk, query="?width=-3", status=400)


def test_suspicious_labels_give_no_error_rate(client, reviewer):
    made = make_distilled()
    made.run.verdicts.filter(choice=2).update(reason="Response 1 is better.")
    audit = draw_suspicious(run=made.run, signals=["contradiction"], size=3, created_by=reviewer)
    audit_all(audit, {1: "wrong", 2: "wrong"})
    page = text_of(client, "audit", audit.pk)
    assert "Error rate" not in page
    assert "says nothing of all labels" in page
    assert AuditNumbers(audit).rates == []
    assert [(each.name, each.n, each.wrong) for each in AuditNumbers(audit).signals] == [("contradiction", 3, 2)]
    assert "says “response 1 is better”" in text_of(client, "audit_items", audit.pk, query="?signal=contradiction")


def test_a_filter_that_is_wrong_is_said_to_be(client, reviewer):
    audit = make_decided()
    assert "does not have" in text_of(client, "audit_items", audit.pk, query="?outcome=maybe", status=400)
    assert "No label of this audit matches" in text_of(client, "audit_items", audit.pk, query="?cause=taste")


def test_the_list_goes_on_after_its_page(client, reviewer):
    audit = draw_sample(run=make_distilled(pairs=60).run, dimensions=[], size=60, seed=2)
    first = text_of(client, "audit_items", audit.pk, query="?state=free")
    following = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    assert text_of(client, "audit_items", audit.pk, query=following).count('<th scope="row">') == 10


def test_both_exports_hold_every_item(client, reviewer):
    audit = make_decided()
    item = audit.items.filter(outcome="wrong").select_related("pair", "stratum").first()
    lines = b"".join(client.get(reverse("audit_export", args=[audit.pk])).streaming_content).splitlines()
    about, *rows = (json.loads(line) for line in lines)
    assert about["audit"]["seed"] == 2
    assert about["audit"]["recipe"]["population"] == 30
    assert len(rows) == 12
    row = next(each for each in rows if each["pair"] == item.pair.external_id)
    assert (row["outcome"], row["cause"], row["seconds"]) == ("wrong", "factual", 5)
    assert (row["label"], row["right"]) == tuple({0: "tie"}.get(c, c) for c in (item.distilled, item.right_choice))
    assert row["stratum"] == item.stratum.cells
    answer = client.get(reverse("audit_export", args=[audit.pk]) + "?format=csv")
    table = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert [each["pair"] for each in table] == [each["pair"] for each in rows]
    assert client.get(reverse("audit_export", args=[audit.pk]) + "?format=xml").status_code == 404


def test_what_training_is_told(client, reviewer):
    audit = make_decided()
    told = json.loads(client.get(reverse("audit_snapshot", args=[audit.pk])).content)
    assert told["audit"]["run"] == audit.run_id
    assert [len(told[name]) for name in ("confirmed", "corrections", "exclusions")] == [8, 2, 2]
    wrong = {each.pair.external_id: each for each in audit.items.filter(outcome="wrong").select_related("pair")}
    for each in told["corrections"]:
        item = wrong[each["pair"]]
        assert (each["from"], each["to"]) == tuple({0: "tie"}.get(c, c) for c in (item.distilled, item.right_choice))
    assert {each["why"] for each in told["exclusions"]} == {"undecidable", "broken"}
    strata = told["weights"]["strata"]
    assert sum(each["population"] * each["weight"] for each in strata) == pytest.approx(30)


def test_weights_by_hand():
    strata = [Stratum(number=1, cells={}, population=300), Stratum(number=2, cells={}, population=100)]
    labels = [
        AuditedLabel(pair=f"{stratum}-{n}", stratum=stratum, label=1, outcome=outcome, right=None, cause="")
        for stratum, outcomes in ((1, ["right"] * 30), (2, ["right"] * 5 + ["undecidable"] * 5))
        for n, outcome in enumerate(outcomes)
    ]
    weights = snapshot_of(about={}, labels=labels, strata=strata, weighted=True)["weights"]
    overall = (300 * 1 + 100 * 0.5) / 400
    shares = [(30 + PRIOR_AUDITS * overall) / (30 + PRIOR_AUDITS), (5 + PRIOR_AUDITS * overall) / (10 + PRIOR_AUDITS)]
    mean = (300 * shares[0] + 100 * shares[1]) / 400
    assert weights["overall"] == pytest.approx(overall)
    assert [each["weight"] for each in weights["strata"]] == pytest.approx([share / mean for share in shares])
    assert weights["audited_weight"] == pytest.approx(1 / mean)


def test_suspicious_labels_correct_but_do_not_weigh():
    label = AuditedLabel(pair="a", stratum=1, label=1, outcome="wrong", right="tie", cause="taste")
    strata = [Stratum(number=1, cells={}, population=9)]
    told = snapshot_of(about={}, labels=[label], strata=strata, weighted=False)
    assert told["weights"] is None
    assert told["corrections"] == [{"pair": "a", "from": 1, "to": "tie", "cause": "taste"}]


def test_a_run_that_goes_takes_its_audits_and_a_verdict_that_changes_does_not():
    audit = make_decided()
    audit.run.verdicts.update(choice=0)
    assert set(audit.items.values_list("distilled", flat=True)) == {0, 1, 2}
    JudgeRun.objects.filter(pk=audit.run_id).delete()
    assert not Audit.objects.exists()
