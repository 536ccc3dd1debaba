"""The filters of the review list, as they stand in its address."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef
from django.http import QueryDict

from annotation.models import Dataset, Generator, Slot, User
from annotation.people import shown_name
from annotation.skips import has_passed_on
from judging.filtering import FILTERS
from judging.models import JudgeRun
from judging.review.disagreement import ANY_CHOICE, GIVEN, Criteria, Kind
from judging.review.label_fields import ANY, CHOICE_OPTIONS, CHOICES, NOT_A_CHOICE, SAID, LabelFields, said_words
from judging.review.order import Order, Place, place_of
from judging.scores.comparison import INVALID
from judging.scores.policies import PRESETS, Policy, UnknownPolicyError, policy_named

KIND_WORDS = {
    Kind.HUMAN_JUDGE: "The run differs from gold",
    Kind.HUMAN_SPLIT: "People differ",
    Kind.JUDGE_JUDGE: "Two runs differ",
    Kind.ORDER_FLIP: "The run's verdict flips with the order",
    Kind.INVALID: "A verdict is invalid",
}
ORDER_WORDS = {Order.AGREEMENT: "Lowest agreement of people first", Order.PAIR: "As the pairs came in"}
# Suggestions for two generators are all combinations of this many at most.
SUGGESTED_GENERATORS = 12


class _RunField(forms.ModelChoiceField):
    def label_from_instance(self, run: JudgeRun) -> str:
        return f"{run.judge} (run {run.pk}, {run.created_at:%-d %B %Y})"


class _PersonField(forms.ModelChoiceField):
    names_hidden = False

    def label_from_instance(self, person: User) -> str:
        return shown_name(person, hidden=self.names_hidden)


class PlaceField(forms.Field):
    """Where a page begins or ends: `AGREEMENT-PAIR`, or the pair alone, which then stands where it stands now."""

    widget = forms.HiddenInput

    def to_python(self, said: str) -> Place | None:
        if not said:
            return None
        found = re.fullmatch(r"(?:([0-9]{1,2}|100)-)?([0-9]{1,18})", said)
        if found is None:
            raise forms.ValidationError("A place in the list is the number of a pair: go back to the first page.")
        agreement, pair_id = found.groups()
        return place_of(int(pair_id)) if agreement is None else Place(int(agreement), int(pair_id))


def _choice_field(label: str, *more: tuple[str, str]) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        required=False,
        choices=[*CHOICE_OPTIONS, *more],
        error_messages=NOT_A_CHOICE,
    )


@dataclass(frozen=True)
class Chip:
    """One filter in words, and the query string that is left without it."""

    words: str
    without: str


class ReviewForm(LabelFields):
    """Bound to the query string. What is not in the address is not asked for; what is wrong there is said."""

    kind = forms.ChoiceField(
        label="Show",
        required=False,
        choices=[("", "All pairs"), *((kind.value, words) for kind, words in KIND_WORDS.items())],
        error_messages={"invalid_choice": f"“%(value)s” is none of {', '.join(Kind)}."},
    )
    run = _RunField(queryset=JudgeRun.objects.none(), required=False, empty_label="Any", label="Run")
    other = _RunField(queryset=JudgeRun.objects.none(), required=False, empty_label="None", label="Other run")
    policy = forms.CharField(label="Policy", required=False, max_length=100)
    gold = _choice_field("Gold", ANY)
    verdict = _choice_field("Verdict of the run", ANY, ("invalid", "Invalid"), SAID)
    below = forms.FloatField(
        label="Run less sure than",
        required=False,
        min_value=0,
        max_value=1,
        widget=forms.NumberInput(attrs={"step": "any"}),
        error_messages={"invalid": "Write a probability from 0 to 1, as 0.8."},
    )
    marked = forms.ChoiceField(
        label="Marked by a filter of the run",
        required=False,
        choices=[("", "Any"), *((name, each.title) for name, each in FILTERS.items())],
        error_messages={"invalid_choice": f"“%(value)s” is none of {', '.join(FILTERS)}."},
    )
    annotator = _PersonField(queryset=User.objects.none(), required=False, empty_label="Anybody", label="Annotator")
    choice = _choice_field("Annotator said")
    annotator2 = _PersonField(
        queryset=User.objects.none(), required=False, empty_label="Anybody", label="Second annotator"
    )
    choice2 = _choice_field("Second annotator said")
    source = forms.CharField(label="Source of the prompt", required=False)
    sourced = forms.ChoiceField(
        label="The prompt has a source",
        required=False,
        choices=[("", "Any"), ("no", "No")],
        error_messages={"invalid_choice": "“%(value)s” is not no: leave it out, or name a source."},
    )
    generators = forms.CharField(label="Generators, as a|b", required=False, max_length=401)
    winner = _choice_field("Better of the two generators")
    winner_by = forms.ChoiceField(
        label="Which is better, by",
        required=False,
        choices=[("", "Gold"), ("run", "The run")],
        error_messages={"invalid_choice": "“%(value)s” is not run: leave it out for gold."},
    )
    names = forms.ChoiceField(required=False, choices=[("", "Shown"), ("hidden", "Hidden")])
    diff = forms.ChoiceField(required=False, choices=[("", "Off"), ("on", "On")])
    desk = forms.ChoiceField(required=False, choices=[("", "Off"), ("on", "On")])
    order = forms.ChoiceField(
        label="Order",
        required=False,
        choices=ORDER_WORDS.items(),
        error_messages={"invalid_choice": f"“%(value)s” is none of {', '.join(Order)}."},
    )
    after = PlaceField(required=False)
    before = PlaceField(required=False)

    FIRST = ("kind", "run", "other", "policy", "order")
    MORE = (
        *(
            "gold",
            "verdict",
            "below",
            "marked",
            "annotator",
            "choice",
            "annotator2",
            "choice2",
            "source",
            "sourced",
            "generators",
            "winner",
            "winner_by",
        ),
        *LabelFields.LABEL_FIELDS,
    )
    # Those that speak of a run.
    OF_RUN = ("run", "other", "verdict", "verdict2", "below", "marked", "winner_by")
    # What goes along from page to page; the place in the list does not.
    CARRIED = (*FIRST, *MORE, "names", "diff", "desk")

    def __init__(self, data: QueryDict, *, dataset: Dataset) -> None:
        super().__init__(data, auto_id="filter_%s", label_suffix="")
        self.dataset = dataset
        runs = JudgeRun.objects.filter(dataset=dataset).select_related("judge").order_by("judge__name", "-pk")
        done = Slot.objects.filter(annotator=OuterRef("pk"), dataset=dataset, state=Slot.State.DONE)
        people = User.objects.filter(Exists(done) | has_passed_on(dataset)).order_by("username")
        for name in ("run", "other"):
            self.fields[name].queryset = runs
            self.fields[name].error_messages["invalid_choice"] = (
                "This dataset has no run %(value)s: choose one of the list."
            )
        for name in ("annotator", "annotator2"):
            self.fields[name].names_hidden = data.get("names") == "hidden"
            self.fields[name].queryset = people
            self.fields[name].error_messages["invalid_choice"] = (
                "Nobody numbered %(value)s has labelled or passed on pairs of this dataset: choose one of the list."
            )
        self._offer_policies(data.get("policy", ""))
        self.fields["generators"].widget.attrs["list"] = "generator-pairs"

    def _offer_policies(self, said: str) -> None:
        names = list(PRESETS)
        if said and said not in names:
            names.append(said)
        self.fields["policy"].widget = forms.Select(choices=[(name, name) for name in names])

    def clean_policy(self) -> Policy:
        try:
            return policy_named(self.cleaned_data["policy"] or "default")
        except UnknownPolicyError as error:
            raise forms.ValidationError(str(error)) from error

    def clean_order(self) -> Order:
        return Order(self.cleaned_data["order"] or Order.AGREEMENT)

    def clean_kind(self) -> Kind | None:
        said = self.cleaned_data["kind"]
        return Kind(said) if said else None

    def clean_generators(self) -> tuple[Generator, Generator] | None:
        said = self.cleaned_data["generators"]
        if not said:
            return None
        ways = [(said[:at], said[at + 1 :]) for at, letter in enumerate(said) if letter == "|"]
        known = {g.name: g for g in Generator.objects.filter(name__in={name for way in ways for name in way})}
        for one, two in ways:
            if one in known and two in known and one != two:
                return known[one], known[two]
        raise forms.ValidationError("Write the names of two different generators as a|b; one of these is not known.")

    def clean(self) -> dict[str, Any]:
        said = self.cleaned_data
        kind, run = said.get("kind"), said.get("run")
        if not run and "run" not in self.errors:
            if kind in {Kind.HUMAN_JUDGE, Kind.JUDGE_JUDGE, Kind.ORDER_FLIP}:
                self.add_error("run", f"Choose the run: “{KIND_WORDS[kind]}” is about one.")
            elif any(said.get(name) for name in ("verdict", "marked", "winner_by")) or said.get("below") is not None:
                self.add_error("run", "Choose the run whose verdict is meant.")
        if kind == Kind.JUDGE_JUDGE and "other" not in self.errors:
            if not said.get("other"):
                self.add_error("other", "Choose the run to compare with.")
            elif said["other"] == run:
                self.add_error("other", "Choose another run than the first: a run never differs from itself.")
        for person, choice in (("annotator", "choice"), ("annotator2", "choice2")):
            if said.get(choice) and not said.get(person) and person not in self.errors:
                self.add_error(person, "Choose whose label is meant.")
        if said.get("winner") and not said.get("generators") and "generators" not in self.errors:
            self.add_error("generators", "Name the two generators, as a|b, of which one is better.")
        if said.get("winner_by") and not said.get("winner") and "winner" not in self.errors:
            self.add_error("winner", "Say which of the two generators the run finds better, or that they are tied.")
        if said.get("source") and said.get("sourced"):
            self.add_error("sourced", "A prompt has this source or none: choose one or the other.")
        self.check_labels(said)
        if said.get("after") is not None and said.get("before") is not None:
            self.add_error("after", "A page begins after a pair or ends before one, not both.")
        return said

    @property
    def criteria(self) -> Criteria:
        """What is asked for; only of a valid form."""
        said = self.cleaned_data
        # Who passed a pair on has not labelled it.
        first = None if said["skipped"] else said["annotator"]
        people = ((first, said["choice"]), (said["annotator2"], said["choice2"]))
        return Criteria(
            dataset=self.dataset,
            policy=said["policy"],
            kind=said["kind"],
            run=said["run"],
            other=said["other"],
            gold=_choice(said["gold"]),
            verdict=INVALID if said["verdict"] == "invalid" else _choice(said["verdict"]),
            other_verdict=_choice(said["verdict2"]),
            below=said["below"],
            marked=said["marked"],
            people=tuple((person, _choice(choice)) for person, choice in people if person),
            own=self.own_label,
            passed_on=self.passed_on,
            votes=self.votes,
            adjudicated=self.adjudication_asked,
            length=said["length"],
            source="" if said["sourced"] else said["source"] or None,
            generators=said["generators"],
            winner=_choice(said["winner"]),
            winner_by_run=bool(said["winner_by"]),
        )

    @property
    def names_hidden(self) -> bool:
        return self.data.get("names") == "hidden"

    @property
    def at_desk(self) -> bool:
        """Pairs are being adjudicated one after the other: a decision leads on to the next pair."""
        return self.data.get("desk") == "on"

    @property
    def first_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.FIRST]

    @property
    def more_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.MORE]

    @property
    def more_open(self) -> bool:
        """Something behind "More filters" is set, or wrong."""
        return any(self.data.get(name) or name in self.errors for name in self.MORE)

    @property
    def misplaced_errors(self) -> list[tuple[str, str]]:
        """What is wrong with parts of the address that have no field on the page: (name, words)."""
        hidden = ("names", "diff", "desk", "after", "before")
        return [(name, words) for name in hidden for words in self.errors.get(name, [])]

    @property
    def query(self) -> str:
        """The filters as a query string, for links that keep them."""
        return self.query_without()

    def query_without(self, *names: str, **said: str) -> str:
        kept = QueryDict(mutable=True)
        for name in self.CARRIED:
            if name not in names and self.data.get(name):
                kept[name] = self.data[name]
        kept.update(said)
        return kept.urlencode()

    @classmethod
    def carried(cls, query: str) -> str:
        """Of a query string what goes along from page to page, right or wrong."""
        said, kept = QueryDict(query), QueryDict(mutable=True)
        for name in cls.CARRIED:
            if said.get(name):
                kept[name] = said[name]
        return kept.urlencode()

    @property
    def names_toggled(self) -> str:
        return self.query_without("names") if self.names_hidden else self.query_without(names="hidden")

    @property
    def diff_toggled(self) -> str:
        return self.query_without("diff") if self.data.get("diff") else self.query_without(diff="on")

    @property
    def chips(self) -> list[Chip]:
        """Each filter in words, with the way to the list without it; only of a valid form."""
        return list(self._chips())

    def _chips(self) -> Iterable[Chip]:
        said = self.cleaned_data
        hidden = self.names_hidden
        if said["kind"] or said["run"]:
            yield Chip(self._kind_words(), self.query_without("kind", *self.OF_RUN))
        for name, words in (("gold", "gold is"), ("verdict", "the run says")):
            if said[name]:
                yield Chip(f"{words} {said_words(said[name])}", self.query_without(name))
        if said["below"] is not None:
            yield Chip(f"the run is less sure than {said['below']:.3g}", self.query_without("below"))
        if said["marked"]:
            yield Chip(f"marked: {FILTERS[said['marked']].title.lower()}", self.query_without("marked"))
        for person, choice in (("annotator", "choice"), ("annotator2", "choice2")):
            if said[person]:
                what = f"said {said[choice]}" if said[choice] else "labelled it"
                gone = (person, choice, *(self.OF_LABEL if person == "annotator" else ()))
                if person == "annotator" and said["skipped"]:
                    what, gone = "passed it on", (*gone, "skipped")
                yield Chip(f"{shown_name(said[person], hidden=hidden)} {what}", self.query_without(*gone))
        if said["source"]:
            yield Chip(f"source {said['source']}", self.query_without("source"))
        if said["sourced"]:
            yield Chip("no source", self.query_without("sourced"))
        if said["generators"]:
            a, b = said["generators"]
            better = {"1": f", {a} better", "2": f", {b} better", "tie": ", tied"}.get(said["winner"], "")
            by = " by the run" if said["winner_by"] else ""
            yield Chip(f"{a} and {b}{better}{by}", self.query_without("generators", "winner", "winner_by"))
        for name, words in self.label_words():
            yield Chip(words, self.query_without(name))

    def _kind_words(self) -> str:
        said = self.cleaned_data
        run, other = said["run"], said["other"]
        judge = run.judge.name if run else ""
        return {
            Kind.HUMAN_JUDGE: f"{judge} differs from gold",
            Kind.HUMAN_SPLIT: f"people differ{f', verdicts of {judge}' if run else ''}",
            Kind.JUDGE_JUDGE: f"{judge} and {other.judge.name if other else ''} differ",
            Kind.ORDER_FLIP: f"{judge} flips with the order",
            Kind.INVALID: f"invalid verdict of {judge or 'any run'}",
            None: f"verdicts of {judge}",
        }[said["kind"]]

    @property
    def generator_pairs(self) -> list[str]:
        """What may be written into generators, where there are few."""
        names = list(Generator.objects.values_list("name", flat=True)[: SUGGESTED_GENERATORS + 1])
        if len(names) > SUGGESTED_GENERATORS:
            return []
        return [f"{a}|{b}" for at, a in enumerate(names) for b in names[at + 1 :]]


def _choice(said: str) -> int | None:
    if said in {ANY[0], SAID[0]}:
        return ANY_CHOICE if said == ANY[0] else GIVEN
    return CHOICES[said].value if said else None
