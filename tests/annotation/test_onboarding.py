"""Practice, the qualification round, and who may label."""

import html
import re

import pytest
from django.urls import reverse

from annotation import onboarding
from annotation.controls import set_control, suggestions
from annotation.models import Choice, Control, ControlAnswer, Label, Role, Skip, Slot, Standing
from annotation.standings import standings_of
from tests import factories
from tests.annotation.label_page import fields, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def researcher():
    return factories.make_user(role=Role.RESEARCHER)


@pytest.fixture
def dataset(researcher):
    """Four pairs to label, one to practise with, four to qualify with of which three must be right."""
    made = factories.make_dataset(slug="way", pairs=4, pass_percent=75)
    use(made, researcher, "practice", Choice.SECOND, "Because **so**.")
    for choice in (Choice.FIRST, Choice.SECOND, Choice.TIE, Choice.FIRST):
        use(made, researcher, "qualification", choice, "The secret of it.")
    return made


def use(dataset, by, kind, choice, explanation=""):
    pair = factories.make_pair(dataset=dataset)
    return set_control(pair=pair, use=kind, choice=choice, explanation=explanation, by=by)


def at(name, *args) -> str:
    return reverse(name, args=["way", *args])


def answer(browser, page, *, right=True):
    """Answer the pair that the page shows, on the sides that it shows."""
    shown = browser.get(page).context
    control = shown["control"]
    choice = Choice(control.choice if right else (control.choice + 1) % 3)
    seen = choice.swapped if shown["swapped"] else choice
    said = {Choice.TIE: "tie", Choice.FIRST: "1", Choice.SECOND: "2"}[seen]
    return browser.post(page, {"control": control.pk, "choice": said, "seconds": "3.5"})


def qualify(browser, *, wrong=0):
    answer(browser, at("practice"))
    for number in range(4):
        answer(browser, at("qualification"), right=number >= wrong)


def test_nobody_labels_before_they_have_qualified(browser, dataset):
    response = browser.get(at("label"))
    assert "Before you label way" in html.unescape(response.text)
    assert not fields(response)
    assert not Slot.objects.filter(state=Slot.State.CLAIMED).exists()


def test_practice_shows_the_answer_and_why_after_it_and_not_before(browser, dataset):
    before = browser.get(at("practice")).text
    assert "Because" not in before
    after = browser.get(answer(browser, at("practice"), right=False).url).text
    assert "We see it otherwise" in after
    assert "Because <strong>so</strong>." in after
    assert not Label.objects.exists()


def test_an_explanation_is_not_to_be_had_before_the_answer(browser, dataset):
    control = Control.objects.get(use="practice")
    assert browser.get(at("practice_answer", control.pk)).status_code == 404
    for each in Control.objects.filter(use="qualification"):
        assert browser.get(at("practice_answer", each.pk)).status_code == 404


def test_the_round_begins_after_practice(browser, dataset):
    assert browser.get(at("qualification")).url == at("onboarding")


def test_who_passes_may_label(browser, dataset, annotator):
    qualify(browser, wrong=1)
    assert Standing.objects.get().state == Standing.State.QUALIFIED
    assert "You passed" in browser.get(at("onboarding")).text
    assert fields(browser.get(at("label")))


def test_who_does_not_pass_waits_for_another_round_that_a_reviewer_gives(browser, dataset, annotator):
    qualify(browser, wrong=2)
    assert Standing.objects.get().state == Standing.State.FAILED
    assert "did not pass" in browser.get(at("label")).text
    assert browser.get(at("qualification")).url == at("onboarding")
    reviewer = signed_in(factories.make_user(role=Role.REVIEWER))
    reviewer.post(reverse("standing_change", args=["way", annotator.pk]), {"action": "attempt"})
    assert Standing.objects.get().attempt == 2
    for _ in range(4):
        answer(browser, at("qualification"))
    assert Standing.objects.get().state == Standing.State.QUALIFIED
    assert ControlAnswer.objects.filter(control__use="qualification").count() == 8


@pytest.mark.parametrize("action", ["attempt", "go_on", "pause", "leave_out", "count_again"])
def test_whoever_is_given_another_standing_reads_the_word_to_them(browser, dataset, annotator, action):
    qualify(browser, wrong=2)
    reviewer = signed_in(factories.make_user(role=Role.REVIEWER))
    change = {"action": action, "note": "Length is no merit."}
    reviewer.post(reverse("standing_change", args=["way", annotator.pk]), change)
    assert "Length is no merit." in browser.get(reverse("notifications")).text


@pytest.mark.parametrize(("shows", "pairs", "why"), [("score", 0, 0), ("wrong", 2, 0), ("answers", 2, 2)])
def test_the_result_tells_as_much_as_the_setting_allows(browser, dataset, shows, pairs, why):
    dataset.result_shows = shows
    dataset.save()
    qualify(browser, wrong=2)
    text = browser.get(at("onboarding")).text
    assert "2 of 4" in text
    assert text.count("was answered otherwise") == pairs
    assert text.count("The secret of it.") == why
    assert text.count("The right answer") == why


@pytest.mark.parametrize(
    ("choice", "said"), [(Choice.FIRST, "Paris."), (Choice.SECOND, "Lyon."), (Choice.TIE, "a tie")]
)
def test_the_right_answer_of_the_round_is_told_by_its_text(browser, researcher, choice, said):
    dataset = factories.make_dataset(slug="way", pass_percent=100, result_shows="answers")
    pair = factories.make_pair(dataset=dataset, texts=("Paris.", "Lyon."))
    set_control(pair=pair, use="qualification", choice=choice, explanation="", by=researcher)
    answer(browser, at("qualification"), right=False)
    told = browser.get(at("onboarding")).text
    right = told.split("The right answer")[1]
    assert [each for each in ("Paris.", "Lyon.", "a tie") if each in right] == [said]


@pytest.mark.parametrize("swapped", [True, False])
def test_the_result_tells_what_they_chose_on_the_sides_that_they_saw(browser, researcher, annotator, swapped):
    dataset = factories.make_dataset(slug="way", pass_percent=100, result_shows="answers")
    pair = factories.make_pair(dataset=dataset, texts=("Paris.", "Lyon."))
    control = set_control(pair=pair, use="qualification", choice=Choice.FIRST, explanation="", by=researcher)
    onboarding.answer_qualification(
        user=annotator, control=control, choice=Choice.SECOND, swapped=swapped, seconds=None
    )
    chosen, right = (1, 2) if swapped else (2, 1)
    told = re.sub(r"<[^>]*>|\s+", " ", browser.get(at("onboarding")).text)
    assert re.search(rf"You chose +response {chosen}\b.* The right answer is +response {right} +Paris\.", told)


def test_the_answer_of_a_double_click_is_none_of_the_next_pair(browser, dataset):
    answer(browser, at("practice"))
    first = browser.get(at("qualification")).context["control"]
    for _ in range(2):
        browser.post(at("qualification"), {"control": first.pk, "choice": "1"})
    assert ControlAnswer.objects.filter(control__use="qualification").count() == 1


def test_whoever_has_met_a_control_pair_is_never_given_it_to_label(browser, dataset, annotator):
    qualify(browser)
    met = set(Control.objects.values_list("pair", flat=True))
    assert set(Skip.objects.filter(annotator=annotator).values_list("pair", flat=True)) == met
    labelled = set()
    while form := fields(browser.get(at("label"))):
        labelled.add(int(form["pair"]))
        browser.post(at("label"), {**form, "choice": "1"})
    assert len(labelled) == 4
    assert not labelled & met


def test_answers_fill_no_slot(browser, dataset):
    free = Slot.objects.filter(state=Slot.State.FREE).count()
    qualify(browser)
    assert Slot.objects.filter(state=Slot.State.FREE).count() == free


def test_a_pause_takes_the_pair_in_hand_back_and_says_why(browser, dataset, annotator):
    qualify(browser)
    browser.get(at("label"))
    reviewer = signed_in(factories.make_user(role=Role.REVIEWER))
    change = reverse("standing_change", args=["way", annotator.pk])
    reviewer.post(change, {"action": "pause", "note": "Please call me."})
    assert not Slot.objects.filter(state=Slot.State.CLAIMED).exists()
    text = browser.get(at("label")).text
    assert "paused" in text
    assert "Please call me." in text
    reviewer.post(change, {"action": "go_on"})
    assert fields(browser.get(at("label")))


def test_a_dataset_that_asks_nothing_costs_one_query(annotator, django_assert_num_queries):
    plain = factories.make_dataset(pairs=1)
    with django_assert_num_queries(1):
        assert onboarding.barrier(user=annotator, dataset=plain) is None


def test_reviewers_see_how_people_stand(browser, dataset, annotator):
    qualify(browser, wrong=1)
    row = next(each for each in standings_of(dataset) if each.user == annotator)
    assert (row.qualification.right, row.qualification.n) == (3, 4)
    # A little wider than Wilson's interval of 3 of 4, (0.3006, 0.9544): it is told from how answers vary by prompt.
    assert (row.qualification.low, row.qualification.high) == pytest.approx((0.2561, 0.9632), abs=1e-4)
    page = signed_in(factories.make_user(role=Role.REVIEWER)).get(reverse("standings", args=["way"]))
    assert "3 of 4" in page.text


# ---- choosing control pairs


def test_a_pair_is_chosen_by_its_id(dataset, researcher):
    pair = factories.make_pair(dataset=dataset, external_id="p-9")
    said = {"pair": "p-9", "use": "mixed", "choice": "tie", "explanation": ""}
    assert signed_in(researcher).post(reverse("controls", args=["way"]), said).status_code == 302
    assert Control.objects.get(pair=pair).choice == Choice.TIE


def test_a_pair_of_another_dataset_is_refused(dataset, researcher):
    factories.make_pair(external_id="elsewhere")
    said = {"pair": "elsewhere", "use": "mixed", "choice": "1"}
    response = signed_in(researcher).post(reverse("controls", args=["way"]), said)
    assert "There is no pair" in response.text
    assert not Control.objects.filter(use="mixed").exists()


def test_pairs_on_which_people_agree_are_suggested(dataset):
    split, agreed = factories.make_pair(dataset=dataset), factories.make_pair(dataset=dataset)
    one, two = factories.make_user(), factories.make_user()
    for pair, second in ((split, Choice.TIE), (agreed, Choice.FIRST)):
        factories.make_label(pair=pair, annotator=one)
        factories.make_label(pair=pair, annotator=two, choice=second)
    assert [(each.pair, each.choice, each.labels) for each in suggestions(dataset)] == [(agreed, Choice.FIRST, 2)]


def test_of_pairs_to_suggest_those_that_few_have_labelled_come_first():
    dataset = factories.make_dataset()
    many, few = factories.make_pair(dataset=dataset), factories.make_pair(dataset=dataset)
    people = [factories.make_user() for _ in range(3)]
    for pair, n in ((many, 3), (few, 2)):
        for person in people[:n]:
            factories.make_label(pair=pair, annotator=person)
    assert [each.pair for each in suggestions(dataset)] == [few, many]


@pytest.mark.parametrize("swapped", [True, False])
def test_who_saw_the_sides_changed_is_told_whose_numbers_an_explanation_has(browser, dataset, monkeypatch, swapped):
    monkeypatch.setattr(onboarding, "is_swapped", lambda **_: swapped)
    text = browser.get(answer(browser, at("practice")).url).text
    assert ("what is response 1 in this explanation is response 2 on your page" in text) is swapped


@pytest.mark.parametrize(
    ("pass_percent", "labelled", "words"),
    [
        (75, False, "Learning"),
        (75, True, "Has labelled, not qualified yet"),
        (None, True, "Has labelled"),
        (None, False, "May label"),
    ],
)
def test_only_who_has_something_to_learn_is_said_to_be_learning(dataset, annotator, pass_percent, labelled, words):
    dataset.pass_percent = pass_percent
    dataset.save()
    if labelled:
        factories.make_label(pair=dataset.pairs.filter(controls=None).first(), annotator=annotator)
    (each,) = standings_of(dataset)
    assert each.words == words


def upload(researcher, text: bytes):
    from django.core.files.uploadedfile import SimpleUploadedFile

    file = SimpleUploadedFile("controls.jsonl", text)
    return signed_in(researcher).post(reverse("control_import", args=["way"]), {"file": file})


def test_control_pairs_come_from_a_file(dataset, researcher):
    factories.make_pair(dataset=dataset, external_id="a")
    line = b'{"id": "a", "use": "mixed", "choice": 2, "explanation": "So."}\n\n'
    assert upload(researcher, line).status_code == 302
    made = Control.objects.get(use="mixed")
    assert (made.choice, made.explanation) == (Choice.SECOND, "So.")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"{", "This is no JSON"),
        (b"[]", "Write an object"),
        (b'{"id": "none", "use": "mixed", "choice": 1}', "There is no pair"),
        (b'{"id": "a", "use": "sometimes", "choice": 1}', "must be one of practice"),
        (b'{"id": "a", "use": "mixed", "choice": 3}', "must be 1, 2 or tie"),
        (b"\xff\xfe", "no UTF-8"),
    ],
)
def test_a_file_with_a_wrong_line_changes_nothing_and_says_which(dataset, researcher, line, word):
    factories.make_pair(dataset=dataset, external_id="a")
    response = upload(researcher, b'{"id": "a", "use": "mixed", "choice": 1}\n' + line)
    assert response.status_code == 422
    assert word in html.unescape(response.text)
    if "UTF-8" not in word:
        assert re.search(r"Line 2:", response.text)
    assert not Control.objects.filter(use="mixed").exists()


def test_a_withdrawn_control_is_asked_of_nobody(dataset, researcher, browser):
    for control in Control.objects.all():
        signed_in(researcher).post(reverse("control_withdraw", args=[control.pk]))
    assert fields(browser.get(at("label")))
