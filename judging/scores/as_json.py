"""Scores as the JSON structure of docs/statistics.md: plain dicts and lists, numbers not rounded, no NaN."""

from typing import Any

from annotation.agreement import Measure
from judging.scores.comparison import COLUMNS
from judging.scores.policies import Invalid
from judging.scores.scoring import Comparison, Generators, Humans, JudgeScore, Scores

CHOICE_NAMES = ["tie", "1", "2", "invalid"]
Json = dict[str, Any]


def scores_json(scores: Scores) -> Json:
    with_invalid = scores.policy.invalid is Invalid.WRONG
    return {
        "dataset": scores.dataset.slug,
        "policy": scores.policy.name,
        "rules": dict(scores.policy.rules),
        "resamples": scores.resamples,
        "seed": scores.seed,
        "n_pairs": scores.n_pairs,
        "n_gold": scores.n_gold,
        "n_prompts": scores.n_prompts,
        "gold": scores.gold,
        "humans": _humans(scores.humans),
        "judges": [_judge(judge, with_invalid=with_invalid) for judge in scores.judges],
        "comparisons": [_comparison(comparison) for comparison in scores.comparisons],
        "generators": {"humans": _generators(scores.generators)},
    }


def _values(measures: dict[str, Measure]) -> Json:
    """Each measure's value by name, then their intervals, and why those that have no value have none."""
    return {name: measure.value for name, measure in measures.items()} | {
        "intervals": {name: list(m.interval) for name, m in measures.items() if m.interval is not None},
        "undefined": {name: m.undefined for name, m in measures.items() if m.undefined},
    }


def _humans(humans: Humans) -> Json:
    names = [person.user.get_username() for person in humans.people]
    return {
        "annotators": {
            person.user.get_username(): {
                "n": person.n,
                **_values({"first_share": person.first_share, "length_preference": person.length_preference}),
                "against_majority_of_others": {
                    "n": person.against_others["accuracy"].n,
                    **_values(person.against_others),
                },
            }
            for person in humans.people
        },
        **_values(humans.agreement | {"length_preference": humans.length_preference}),
        "cohen_kappa": {f"{names[a]}|{names[b]}": measure.value for (a, b), measure in humans.cohen.items()},
        "cohen_kappa_intervals": {
            f"{names[a]}|{names[b]}": list(measure.interval)
            for (a, b), measure in humans.cohen.items()
            if measure.interval is not None
        },
        "splits": {
            "unanimous": humans.splits.unanimous,
            "majority": humans.splits.majority,
            "none": humans.splits.none,
            "too_few": humans.splits.too_few,
        },
        "ceiling": {"n": humans.ceiling["accuracy"].n, **_values(humans.ceiling)},
    }


def _judge(judge: JudgeScore, *, with_invalid: bool) -> Json:
    columns = CHOICE_NAMES[: COLUMNS if with_invalid else COLUMNS - 1]
    test = judge.alt_test
    return {
        "judge": judge.name,
        "kind": judge.kind,
        "run": judge.run.pk if judge.run else None,
        "n": judge.n,
        "invalid": judge.invalid,
        "coverage": judge.coverage,
        **_values(judge.measures),
        "confusion": {
            CHOICE_NAMES[row]: dict(zip(columns, counts[: len(columns)], strict=True))
            for row, counts in enumerate(judge.confusion)
        },
        "alt_test": {
            "epsilon": test.epsilon,
            "winning_rate": test.winning_rate,
            "advantage_probability": test.advantage_probability,
            "annotators_tested": len(test.people),
            "undefined": test.undefined,
        },
        "reliability": [
            {"from": low, "confidence": confidence, "right": right, "n": n}
            for low, confidence, right, n in judge.reliability
        ],
        "pairs_per_second": judge.pairs_per_second,
        "cost_per_1000": judge.cost_per_1000,
    }


def _comparison(comparison: Comparison) -> Json:
    found = comparison.paired
    return {
        "a": comparison.a,
        "b": comparison.b,
        "n": found.n,
        "only_a_right": found.only_a_right,
        "only_b_right": found.only_b_right,
        "mcnemar_p": found.p,
        "mcnemar_p_holm": comparison.p_holm,
        "told_apart": comparison.told_apart,
        "difference": found.difference.value,
        "interval": list(found.difference.interval) if found.difference.interval else None,
    }


def _generators(generators: Generators) -> Json:
    names, wins, ties = generators.names, generators.wins, generators.ties
    met = [
        (i, j) for i in range(len(names)) for j in range(i + 1, len(names)) if wins[i][j] + wins[j][i] + ties[i][j] > 0
    ]
    rated = generators.ratings
    return {
        "win_tie_loss": {
            f"{names[i]}|{names[j]}": {"win": wins[i][j], "loss": wins[j][i], "tie": ties[i][j]} for i, j in met
        },
        "elo": {
            names[i]: {"rating": one.rating, "low": one.low, "high": one.high} for i, one in rated.by_generator.items()
        },
        "alike": [[names[i], names[j]] for i, j in rated.alike],
        "undefined": rated.undefined,
    }
