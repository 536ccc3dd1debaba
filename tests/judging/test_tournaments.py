"""From answers in files, or in the database, to pairs, runs and a ranking; and what is wrong with files, by line."""

import json
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from annotation.models import Dataset, Pair, Response, Role
from annotation.pairing import Design, draw_pairs
from jobs.errors import PermanentError
from jobs.running import run_here
from judging.models import Judge, JudgeRun, Tournament, Verdict
from judging.scores.policies import PRESETS
from judging.scores.ranking import evidence_of, rank
from judging.tournaments import Entry, Plan, TournamentError, begin, delete_old_files, pairs_of, plan_judges, start
from tests import factories

pytestmark = pytest.mark.django_db

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "self-instruct"
needs_self_instruct = pytest.mark.skipif(
    not (REAL / "predictions").exists(), reason="self-instruct's files are not in ../shared/data/self-instruct."
)
ASKED = [{"instruction": f"Do {n}.", "input": "", "reference": f"done {n}"} for n in range(4)]


def lines(rows: list) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def answers(text: str, *, prompts: list[dict] = ASKED, key: str = "response") -> list[dict]:
    return [{"instruction": each["instruction"] + "\n", "input": each["input"], key: text} for each in prompts]


def entry(data: list | bytes, name: str, generator: str = "") -> Entry:
    data = data if isinstance(data, bytes) else lines(data)
    return Entry(file=ContentFile(data), file_name=name, generator=generator)


def begun(by_name: dict[str, list | bytes], *, prompts: list | bytes = ASKED, slug: str = "made", **more) -> Tournament:
    files = [entry(prompts, "prompts.jsonl"), *(entry(data, f"{name}.jsonl", name) for name, data in by_name.items())]
    return begin(dataset_slug=slug, purpose="sweep", files=files, send=False, **more)


def read(tournament: Tournament) -> Tournament:
    run_here(job=tournament.reading, out=StringIO())
    tournament.refresh_from_db()
    return tournament


def made(tournament: Tournament, plan: Plan) -> Dataset:
    run_here(job=start(tournament=tournament, plan=plan, send=False).making, out=StringIO())
    tournament.refresh_from_db()
    return tournament.dataset


THREE = {"long": answers("a long answer"), "mid": answers("an answer", key="output"), "short": answers("it")}


class TestDrawing:
    def test_all_pairs_of_each_two_and_sides_that_balance(self):
        drawn = draw_pairs(np.ones((4, 9), dtype=bool), design=Design.ALL, seed=1)
        assert len(drawn) == 6 * 9
        for a in range(4):
            for b in range(a):
                there, back = ((drawn.first == x) & (drawn.second == y) for x, y in ((a, b), (b, a)))
                assert abs(there.sum() - back.sum()) == 1
                assert sorted(drawn.prompts[there | back]) == list(range(9))

    def test_missing_answers_make_no_pairs(self):
        answered = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]], dtype=bool)
        drawn = draw_pairs(answered, design=Design.ALL)
        assert len(drawn) == 3 + 1
        assert all(answered[drawn.first, drawn.prompts] & answered[drawn.second, drawn.prompts])

    def test_a_seed_draws_the_same_again_and_another_otherwise(self):
        answered = np.ones((3, 50), dtype=bool)
        for design, n in ((Design.PROMPTS, 3 * 7), (Design.EACH, 3 * 7)):
            one, same, other = (draw_pairs(answered, design=design, number=7, seed=seed) for seed in (1, 1, 2))
            assert len(one) == len(other) == n
            assert (one.prompts == same.prompts).all()
            assert (one.first == same.first).all()
            assert (one.prompts != other.prompts).any()
        assert len(np.unique(draw_pairs(answered, design=Design.PROMPTS, number=7).prompts)) == 7

    def test_more_than_there_is_is_all(self):
        answered = np.ones((2, 5), dtype=bool)
        for design in (Design.PROMPTS, Design.EACH):
            assert len(draw_pairs(answered, design=design, number=99)) == 5


class TestFromFiles:
    def test_pairs_runs_and_ranking_come_of_it_as_planned(self):
        judges = [factories.make_judge(backend=Judge.Backend.BASELINE, model=model) for model in ("longer", "shorter")]
        tournament = read(begun(THREE))
        plan = Plan(judges=[judge.pk for judge in judges], seed=3)
        assert len(pairs_of(tournament, plan)) == 12
        assert [each.verdicts for each in plan_judges(tournament, 12, judges)] == [24, 24]
        dataset = made(tournament, plan)
        assert [(job.done, job.total) for job in (tournament.reading, tournament.making)] == [(4, 4), (12, 12)]
        assert dataset.pairs.count() == 12
        assert (dataset.purpose, dataset.labels_per_pair) == ("sweep", 0)
        pair = dataset.pairs.select_related("prompt").first()
        assert (pair.prompt.instruction, pair.prompt.reference) == ("Do 0.", "done 0")
        for run in JudgeRun.objects.filter(dataset=dataset):
            run_here(job=run.job, out=StringIO())
        assert Verdict.objects.count() == 48
        longer = next(rater for rater in rank(evidence_of(dataset), policy=PRESETS["default"], resamples=20).raters)
        assert [(cell.win, cell.loss, cell.tie) for cell in longer.cells] == [(4, 0, 0)] * 3
        assert not tournament.files.exclude(file="").exists()

    def test_what_is_missing_empty_or_no_text_is_told_and_the_rest_goes_on(self):
        short = answers("it")[1:]
        short[0]["response"] = ""
        short[1]["response"] = True
        other = [{"instruction": "Something else", "input": "", "response": "x"}]
        tournament = read(begun({**THREE, "short": short + other}))
        assert tournament.is_read
        facts = {each["name"]: each for each in tournament.found["generators"]}["short"]
        assert (facts["answers"], facts["missing"], facts["empty"], facts["other"]) == (3, 1, 1, 1)
        told = [(each["file"], each["line"], each["field"]) for each in tournament.found["problems"]]
        assert told == [
            ("short.jsonl", 1, "response"),
            ("short.jsonl", 2, "response"),
            ("short.jsonl", 4, "instruction"),
        ]
        assert len(pairs_of(tournament, Plan())) == 4 + 3 + 3
        texts = Response.objects.filter(generator__name="short").values_list("text", flat=True)
        made(tournament, Plan())
        assert sorted(texts) == ["", "it", "true"]

    @pytest.mark.parametrize(
        ("by_name", "prompts", "line", "words"),
        [
            (THREE, [*ASKED, {"instruction": " Do 1. ", "input": ""}], 5, "Line 2 has the same"),
            ({**THREE, "mid": answers("x") + answers("y")[:1]}, ASKED, 5, "Line 1 answers the same prompt"),
            ({**THREE, "mid": answers("x", prompts=[{"instruction": "No", "input": ""}])}, ASKED, None, "No row of"),
            ({**THREE, "mid": [{"instruction": "Do 1."}]}, ASKED, 1, "response (or output) is missing"),
            ({**THREE, "mid": b'{"instruction": "Do 1.", "resp'}, ASKED, 1, "Broken JSON"),
            ({**THREE, "mid": b""}, ASKED, None, "empty"),
            (THREE, [{"instruction": "Two", "instances": [{"input": "1"}, {"input": "2"}]}], 1, "list of one object"),
            (THREE, b"[]", None, "no prompt"),
        ],
    )
    def test_what_is_wrong_is_told_by_line_and_nothing_is_stored(self, by_name, prompts, line, words):
        tournament = begun(by_name, prompts=prompts)
        with pytest.raises(PermanentError):
            run_here(job=tournament.reading, out=StringIO())
        tournament.refresh_from_db()
        first = tournament.found["problems"][0]
        assert first["is_error"]
        assert first["line"] == line
        assert words in first["message"]
        with pytest.raises(TournamentError):
            start(tournament=tournament, plan=Plan())
        assert not Response.objects.exists()
        assert not Dataset.objects.exists()

    def test_a_judge_that_cannot_run_keeps_all_from_being_made(self):
        majority = factories.make_judge(backend=Judge.Backend.BASELINE, model="majority")
        longer = factories.make_judge(backend=Judge.Backend.BASELINE, model="longer")
        tournament = read(begun(THREE))
        with pytest.raises(PermanentError, match="nothing was made"):
            made(tournament, Plan(judges=[longer.pk, majority.pk]))
        assert not Dataset.objects.exists()
        assert not Pair.objects.exists()
        assert not JudgeRun.objects.exists()

    def test_names_are_taken_once(self):
        factories.make_dataset(slug="there")
        with pytest.raises(TournamentError, match="already"):
            begun(THREE, slug="there")
        twice = [entry(answers("x"), "a.jsonl", "a"), entry(answers("y"), "a.jsonl", "a")]
        with pytest.raises(TournamentError, match="rename one"):
            begin(dataset_slug="x", purpose="sweep", files=[entry(ASKED, "p.jsonl"), *twice])

    def test_it_is_started_once(self):
        tournament = read(begun(THREE))
        start(tournament=tournament, plan=Plan(), send=False)
        with pytest.raises(TournamentError, match="already"):
            start(tournament=tournament, plan=Plan(), send=False)

    def test_files_that_nobody_goes_on_with_are_deleted(self, settings):
        tournament = read(begun(THREE))
        assert delete_old_files() == 0
        settings.UPLOAD_KEEP_DAYS = 0
        assert delete_old_files() == 4
        with pytest.raises(PermanentError, match="Begin a new one"):
            made(tournament, Plan())


def test_the_price_of_a_judge_behind_a_server_is_estimated_before_any_pair_is_stored() -> None:
    judge = factories.make_judge(backend=Judge.Backend.OPENAI, model="gpt-4o-mini", template="json@1")
    tournament = read(begun(THREE))
    (found,) = plan_judges(tournament, 12, [judge])
    assert found.plan.questions == 24
    assert 0 < found.plan.cost < 1
    assert found.plan.cost_low <= found.plan.cost <= found.plan.cost_high


def test_answers_in_the_database_are_compared_without_a_file() -> None:
    asked = factories.make_dataset(slug="asked", pairs=3)
    for pair in asked.pairs.select_related("prompt"):
        for name in ("one", "two"):
            factories.make_response(prompt=pair.prompt, text=f"old {name}", generator=name)
            factories.make_response(prompt=pair.prompt, text=f"new {name}", generator=name)
    before = Response.objects.count()
    tournament = begin(dataset_slug="again", purpose="test", answered=asked, generators=["one", "two"], send=False)
    dataset = made(read(tournament), Plan(labels=1))
    assert Response.objects.count() == before
    assert {pair.prompt_id for pair in dataset.pairs.all()} == {pair.prompt_id for pair in asked.pairs.all()}
    texts = {text for pair in dataset.pairs.all() for text in (pair.response_1.text, pair.response_2.text)}
    assert texts == {"new one", "new two"}
    assert dataset.labels_per_pair == 1


class TestPages:
    @pytest.fixture
    def researcher(self, client: Client) -> Client:
        client.force_login(factories.make_user(role=Role.RESEARCHER))
        return client

    def upload(self, name: str, data: list) -> BytesIO:
        file = BytesIO(lines(data))
        file.name = name
        return file

    def test_the_way_from_files_to_runs(self, researcher: Client) -> None:
        judge = factories.make_judge(backend=Judge.Backend.BASELINE, model="longer")
        files = [self.upload(f"{name}.jsonl", data) for name, data in THREE.items()]
        given = {"dataset": "new", "purpose": "sweep", "prompts": self.upload("p.jsonl", ASKED), "answers": files}
        there = researcher.post(reverse("tournament_new"), given)
        tournament = Tournament.objects.get()
        assert there.url == tournament.get_absolute_url()
        read(tournament)
        assert "12 pairs" in researcher.get(there.url).content.decode()
        choice = {"design": "each", "number": "2", "seed": "5", "judges": [judge.pk]}
        page = researcher.post(there.url, choice | {"action": "plan"}).content.decode()
        assert "6 pairs" in page
        assert "12 verdicts" in page
        assert researcher.post(there.url, choice | {"action": "start"}).status_code == 302
        tournament.refresh_from_db()
        run_here(job=tournament.making, out=StringIO())
        page = researcher.get(there.url).content.decode()
        assert reverse("ranking", args=["new"]) in page
        assert Dataset.objects.get(slug="new").pairs.count() == 6

    def test_what_is_not_filled_in_is_said(self, researcher: Client) -> None:
        answer = researcher.post(reverse("tournament_new"), {"dataset": "new", "purpose": "sweep"})
        assert answer.status_code == 422
        assert "Choose the file of prompts" in answer.content.decode()
        tournament = read(begun(THREE))
        answer = researcher.post(tournament.get_absolute_url(), {"design": "each", "action": "start"})
        assert answer.status_code == 422
        assert "Say how many" in answer.content.decode()
        tournament.refresh_from_db()
        assert tournament.making is None

    def test_stored_answers_are_chosen_by_dataset_and_generator(self, researcher: Client) -> None:
        asked = factories.make_dataset(slug="asked")
        factories.make_pair(dataset=asked, generators=("red", "blue"))
        page = researcher.get(reverse("tournament_new"), {"answered": "asked"}).content.decode()
        assert 'value="red"' in page
        given = {"dataset": "new", "purpose": "test", "answered": "asked", "generators": ["red"]}
        assert "at least two" in researcher.post(reverse("tournament_new"), given).content.decode()
        given["generators"] = ["red", "blue"]
        assert researcher.post(reverse("tournament_new"), given).status_code == 302
        assert Tournament.objects.get().generators == ["blue", "red"]


class TestCommand:
    def files(self, folder: Path) -> list[str]:
        for name, data in {"p": ASKED, **THREE}.items():
            (folder / f"{name}.jsonl").write_bytes(lines(data))
        return [str(folder / f"{name}.jsonl") for name in THREE]

    def test_it_reads_makes_and_judges(self, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
        factories.make_judge(name="longer", backend=Judge.Backend.BASELINE, model="longer")
        paths = self.files(tmp_path)
        more = {"prompts": tmp_path / "p.jsonl", "answers": [f"first={paths[0]}", *paths[1:]], "judges": ["longer"]}
        call_command("compare_generators", "made", plan=True, **more)
        assert "12 pairs" in capsys.readouterr().out
        assert not Dataset.objects.exists()
        call_command("compare_generators", "made", **more)
        assert Verdict.objects.filter(run__dataset__slug="made").count() == 24
        assert Response.objects.filter(generator__name="first").exists()

    def test_it_says_what_is_wrong(self, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
        paths = self.files(tmp_path)
        (tmp_path / "short.jsonl").write_bytes(lines([{"instruction": "Do 1."}]))
        with pytest.raises(CommandError):
            call_command("compare_generators", "made", prompts=tmp_path / "p.jsonl", answers=paths)
        assert "short.jsonl, line 1: response (or output) is missing" in capsys.readouterr().err
        with pytest.raises(CommandError, match="no judge"):
            call_command("compare_generators", "made", judges=["nobody"])


@needs_self_instruct
def test_the_eight_models_of_self_instruct_meet_on_252_prompts() -> None:
    judge = factories.make_judge(backend=Judge.Backend.BASELINE, model="longer")
    paths = sorted((REAL / "predictions").glob("*.jsonl"))
    files = [entry((REAL / "user_oriented_instructions.jsonl").read_bytes(), "prompts.jsonl")]
    files += [entry(path.read_bytes(), path.name, path.stem) for path in paths]
    tournament = read(begin(dataset_slug="real", purpose="sweep", files=files, send=False))
    assert tournament.found["prompts"] == 252
    assert [each["answers"] for each in tournament.found["generators"]] == [252] * 8
    assert len(pairs_of(tournament, Plan())) == 28 * 252
    dataset = made(tournament, Plan(design=Design.PROMPTS, number=30, judges=[judge.pk]))
    assert dataset.pairs.count() == 28 * 30
    run_here(job=JudgeRun.objects.get(dataset=dataset).job, out=StringIO())
    (longer,) = rank(evidence_of(dataset), policy=PRESETS["default"], resamples=50).raters
    # The model that was never tuned to stop writes the most.
    assert longer.ranked[0].name == "davinci"
