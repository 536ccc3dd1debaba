"""Saved filters, and the pairs of a review list as a file."""

import csv
import html
import io
import json

import pytest
from django.urls import reverse

from annotation.exporting import reading
from annotation.exporting.reading import Reader
from annotation.models import Pair, Role, Slot
from judging.models import JudgeRun, SavedFilter
from judging.review import selection
from tests import factories
from tests.judging.scored import MAJORITY, make_judge, make_scored_dataset

pytestmark = pytest.mark.django_db


@pytest.fixture
def scored():
    return make_scored_dataset()


@pytest.fixture
def reviewer(client):
    client.force_login(factories.make_user(role=Role.REVIEWER, username="rev"))
    return client


def review() -> str:
    return reverse("review", args=["scored"])


def save(client, **said: str):
    return client.post(reverse("saved_filters", args=["scored"]), said, follow=True)


def page_of(response) -> str:
    return html.unescape(response.content.decode())


class TestSavedFilters:
    def test_a_filter_is_kept_without_its_place_and_stands_on_the_list(self, reviewer, scored):
        _, run = scored
        query = f"kind=order_flip&run={run.pk}&policy=paper&after=100-5"
        response = save(reviewer, name="Flips", query=query)
        saved = SavedFilter.objects.get()
        assert (saved.name, saved.query, saved.shared, saved.owner.username) == (
            "Flips",
            f"kind=order_flip&run={run.pk}&policy=paper",
            False,
            "rev",
        )
        assert response.redirect_chain[-1][0] == f"{review()}?{saved.query}"
        assert f'href="?{saved.query}" aria-current="page">Flips</a>' in page_of(response)

    @pytest.mark.parametrize(
        ("said", "words"),
        [
            ({"name": "", "query": "kind=invalid"}, "Give the filter a name."),
            ({"name": "x" * 61, "query": "kind=invalid"}, "at most 60 characters"),
            ({"name": "None", "query": ""}, "No filter is set"),
            ({"name": "Wrong", "query": "kind=nothing"}, "These filters are wrong as they stand"),
            ({"name": "Twice", "query": "gold=1"}, "There is a filter “Twice” already"),
            ({"name": "Long", "query": "source=" + "y" * 2000}, "too long to be kept"),
        ],
    )
    def test_what_cannot_be_kept_is_told_and_not_kept(self, reviewer, scored, said, words):
        save(reviewer, name="Twice", query="gold=2")
        assert words in page_of(save(reviewer, **said))
        assert SavedFilter.objects.get().query == "gold=2"

    def test_an_address_that_somebody_made_up_leads_nowhere_else(self, reviewer, scored):
        response = save(reviewer, name="", query="kind=invalid&next=//evil.example&names=hidden")
        assert response.redirect_chain[-1][0] == f"{review()}?kind=invalid&names=hidden"

    def test_others_see_and_change_only_what_is_shared(self, client, scored):
        dataset, _ = scored
        owner = factories.make_user(role=Role.REVIEWER)
        mine, ours = (
            SavedFilter.objects.create(dataset=dataset, owner=owner, name=name, query="gold=1", shared=shared)
            for name, shared in (("Mine", False), ("Ours", True))
        )
        client.force_login(factories.make_user(role=Role.REVIEWER))
        for where in (review(), reverse("saved_filters", args=["scored"])):
            page = page_of(client.get(where))
            assert ("Ours" in page, "Mine" in page) == (True, False)
        assert client.post(reverse("saved_filter_delete", args=[mine.pk])).status_code == 404
        changed = client.post(reverse("saved_filter_change", args=[ours.pk]), {"name": "All ours", "shared": "on"})
        assert changed.status_code == 302
        ours.refresh_from_db()
        assert (ours.name, ours.shared, ours.owner) == ("All ours", True, owner)
        client.post(reverse("saved_filter_delete", args=[ours.pk]))
        assert list(SavedFilter.objects.all()) == [mine]

    def test_a_name_that_is_taken_changes_nothing(self, reviewer, scored):
        save(reviewer, name="One", query="gold=1")
        save(reviewer, name="Two", query="gold=2")
        two = SavedFilter.objects.get(name="Two")
        response = reviewer.post(reverse("saved_filter_change", args=[two.pk]), {"name": "One"}, follow=True)
        assert "There is a filter “One” already" in page_of(response)
        assert SavedFilter.objects.filter(name="Two").exists()

    def test_a_filter_whose_run_is_gone_says_so(self, reviewer, scored):
        dataset, _ = scored
        gone = JudgeRun.objects.create(judge=make_judge("gone"), dataset=dataset)
        save(reviewer, name="Of the old judge", query=f"kind=human_judge&run={gone.pk}")
        where = reverse("saved_filters", args=["scored"])
        assert "gone differs from gold" in page_of(reviewer.get(where))
        gone.delete()
        page = page_of(reviewer.get(where))
        assert "This filter no longer fits the dataset" in page
        assert "This dataset has no run" in page


class TestExport:
    def ask(self, client, **query: object):
        return client.get(reverse("review_export", args=["scored"]), query)

    def test_csv_holds_just_the_pairs_of_the_list_with_their_gold(self, reviewer, scored):
        response = self.ask(reviewer, format="csv", gold="2", policy="paper")
        rows = list(csv.DictReader(io.StringIO(b"".join(response).decode())))
        expected = [pair.external_id for pair, gold in zip(pairs(), MAJORITY, strict=True) if gold == 2]
        assert ([row["id"] for row in rows], {row["gold"] for row in rows}) == (expected, {"2"})
        assert response["Content-Disposition"] == 'attachment; filename="scored-selection.csv"'

    def test_json_lines_hold_labels_and_verdicts_of_the_pairs(self, reviewer, scored):
        _, run = scored
        lines = b"".join(self.ask(reviewer, format="tiebreak", kind="order_flip", run=run.pk)).splitlines()
        told = [json.loads(line) for line in lines]
        assert [each["id"] for each in told] == [pairs()[1].external_id, pairs()[7].external_id]
        assert [(len(each["labels"]), len(each["verdicts"])) for each in told] == [(3, 2), (3, 2)]

    def test_no_pair_is_an_empty_file(self, reviewer, scored):
        assert b"".join(self.ask(reviewer, format="tiebreak", source="nowhere")) == b""

    @pytest.mark.parametrize(
        ("query", "words"),
        [({}, "Say as what the pairs are wanted"), ({"format": "xls"}, "none of csv and tiebreak")],
    )
    def test_a_format_that_there_is_not_is_told(self, reviewer, scored, query, words):
        response = self.ask(reviewer, **query)
        assert (response.status_code, words in page_of(response)) == (400, True)

    def test_wrong_filters_give_no_file(self, reviewer, scored):
        assert self.ask(reviewer, format="csv", kind="nothing").status_code == 400

    def test_chosen_pairs_are_read_in_chunks_whatever_has_gone_meanwhile(self, scored, monkeypatch):
        monkeypatch.setattr(reading, "FIRST_CHUNK", 1)
        monkeypatch.setattr(reading, "CHUNK", 2)
        dataset, _ = scored
        other = factories.make_pair()
        ids = [pair.pk for pair in pairs()]
        chosen = sorted([ids[0], ids[2], ids[3], ids[4], ids[6], other.pk, other.pk + 10])
        Pair.objects.filter(pk__in=[ids[2], ids[3]]).delete()
        read = [each.row["id"] for each in Reader(dataset, chosen=chosen)]
        assert read == [pair.external_id for pair in pairs() if pair.pk in chosen]
        assert len(read) == 3


def pairs() -> list[Pair]:
    return list(Pair.objects.filter(dataset__slug="scored").order_by("pk"))


class TestQueue:
    where = "/datasets/scored/review/queue/"

    def test_it_says_how_many_before_it_happens_and_then_does_just_that(self, reviewer, scored):
        query = {"kind": "order_flip", "run": scored[1].pk}
        page = reviewer.get(self.where, query)
        assert "2 pairs would go to people" in page_of(page)
        known = page.context["queue"].known
        address = f"{self.where}?kind=order_flip&run={scored[1].pk}"
        done = reviewer.post(address, {"known": known}, follow=True)
        assert "2 pairs will be labelled next." in page_of(done)
        assert Slot.objects.filter(dataset=scored[0], state="free").count() == 2
        twice = reviewer.post(address, {"known": known})
        assert (twice.status_code, "Look at them again" in page_of(twice)) == (400, True)
        assert "0 pairs would go to people" in page_of(reviewer.get(address))

    def test_a_single_pair_can_be_sent(self, reviewer, scored):
        page = reviewer.get(self.where, {"pair": pairs()[0].pk})
        assert "1 pair would go to people" in page_of(page)
        assert page.context["queue"].further == [pairs()[0].pk]

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ({"kind": "nothing"}, "These filters are wrong"),
            ({"source": "nowhere"}, "No pair matches"),
            ({"pair": "x"}, "no such pair"),
            ({"pair": "999999"}, "no such pair"),
            ({}, "More than 3 pairs match"),
        ],
    )
    def test_what_cannot_be_sent_is_told(self, reviewer, scored, monkeypatch, query, words):
        monkeypatch.setattr(selection, "MOST", 3)
        response = reviewer.get(self.where, query)
        assert (response.status_code, words in page_of(response)) == (400, True)
