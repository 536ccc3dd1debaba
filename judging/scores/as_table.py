"""Scores as text for a terminal, from their JSON structure."""

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]


def scores_table(scores: Json) -> str:
    parts = [_head(scores), _people(scores["humans"]), _judges(scores), _confusions(scores["judges"])]
    parts += [_comparisons(scores["comparisons"]), _generators(scores["generators"]["humans"])]
    return "\n\n".join(part for part in parts if part)


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be; the first to the left, the others to the right."""
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        return "  ".join(cells).rstrip()

    return "\n".join([title, line(header), "  ".join("-" * width for width in widths), *map(line, rows)])


def number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _p(value: float) -> str:
    return "<0.0001" if value < 0.0001 else number(value)


def _with_interval(values: Json, name: str, digits: int = 4) -> str:
    interval = values["intervals"].get(name)
    text = number(values[name], digits)
    return text if interval is None else f"{text} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _head(scores: Json) -> str:
    gold = scores["gold"]
    lines = [
        f"{scores['dataset']}, policy {scores['policy']}",
        *(f"  {about}: {rule}" for about, rule in scores["rules"].items()),
        f"{scores['n_pairs']} pairs, {scores['n_gold']} with gold (1: {gold['1']}, 2: {gold['2']}, tie: {gold['tie']}) "
        f"from {scores['n_prompts']} prompts",
        f"Intervals are 95%, from {scores['resamples']} resamples of prompts, seed {scores['seed']}.",
    ]
    return "\n".join(lines)


def _people(humans: Json) -> str:
    overall = "\n".join(
        f"  {title}: {_with_interval(humans, name)}"
        for name, title in [
            ("raw_agreement", "Raw agreement"),
            ("fleiss_kappa", "Fleiss' kappa"),
            ("krippendorff_alpha", "Krippendorff's alpha"),
        ]
    )
    kappas = "".join(f"\n  Cohen's kappa {key}: {number(value)}" for key, value in humans["cohen_kappa"].items())
    splits = humans["splits"]
    split = f"  {splits['unanimous']} unanimous, {splits['majority']} by majority, {splits['none']} without, "
    rows = [
        [
            name,
            str(one["n"]),
            _with_interval(one["against_majority_of_others"], "accuracy"),
            _with_interval(one, "first_share"),
        ]
        for name, one in humans["annotators"].items()
    ]
    title = f"People\n{overall}{kappas}\n{split}{splits['too_few']} with fewer than two labels\n"
    people = _table("", ["annotator", "labels", "accuracy against the others' majority", "first-position share"], rows)
    return title + people


def _judges(scores: Json) -> str:
    header = ["judge", "kind", "n", "invalid", "accuracy", "macro P", "macro R", "macro F1", "kappa"]
    header += ["flips", "first", "ECE", "coverage", "alt-test", "pairs/s", "$/1,000"]
    rows = [
        [
            judge["judge"],
            judge["kind"],
            str(judge["n"]),
            str(judge["invalid"]),
            _with_interval(judge, "accuracy"),
            number(judge["precision_macro"]),
            number(judge["recall_macro"]),
            _with_interval(judge, "f1_macro"),
            _with_interval(judge, "kappa", 3),
            *(number(judge[name], 3) for name in ("flip_rate", "first_share", "ece", "coverage")),
            number(judge["alt_test"]["winning_rate"], 2),
            number(judge["pairs_per_second"], 2),
            number(judge["cost_per_1000"], 4),
        ]
        for judge in sorted(scores["judges"], key=lambda judge: -(judge["accuracy"] or 0))
    ]
    return _table("Judges", header, rows)


def _confusions(judges: list[Json]) -> str:
    return "\n\n".join(
        _table(
            f"Confusion of {judge['judge']} (rows gold, columns verdict)",
            ["", *judge["confusion"]["tie"]],
            [[row, *map(str, counts.values())] for row, counts in judge["confusion"].items()],
        )
        for judge in judges
    )


def _comparisons(comparisons: list[Json]) -> str:
    rows = [
        [
            f"{one['a']} against {one['b']}",
            str(one["only_a_right"]),
            str(one["only_b_right"]),
            _p(one["mcnemar_p"]),
            _p(one["mcnemar_p_holm"]),
            _with_interval(
                {"difference": one["difference"], "intervals": {"difference": one["interval"]}}, "difference"
            ),
        ]
        for one in comparisons
    ]
    return _table("Comparisons", ["", "only a right", "only b right", "McNemar p", "with Holm", "difference"], rows)


def _generators(generators: Json) -> str:
    met = _table(
        "Generators, by people: the first against the second",
        ["", "win", "loss", "tie"],
        [
            [key.replace("|", " / "), *(str(one[column]) for column in ("win", "loss", "tie"))]
            for key, one in generators["win_tie_loss"].items()
        ],
    )
    rated = _table(
        "Ratings of generators",
        ["", "rating", "95% interval"],
        [
            [name, number(one["rating"], 0), f"{number(one['low'], 0)} to {number(one['high'], 0)}"]
            for name, one in sorted(generators["elo"].items(), key=lambda item: -item[1]["rating"])
        ],
    )
    return "\n\n".join(part for part in (met, rated or generators["undefined"]) if part)
