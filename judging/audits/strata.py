"""What the labels of a run may be divided by, as SQL over them, and each part in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.backends.utils import CursorWrapper
from psycopg.sql import SQL, Composable, Literal

from annotation.models import Choice

# Above the last: everything. A probability of its own choice that a judge gives to a label.
PROBABILITIES = (0.5, 0.7, 0.9)
# The most frequent sources are strata by themselves, the others one together.
MOST_SOURCES = 8
# Room for the classes of one dimension in a stratum's code.
_BASE = 32


@dataclass(frozen=True, slots=True)
class Dimension:
    """`column` is what a label is divided by; `of` makes the recipe's cut points, `code` numbers the classes from 0,
    `words` says one of them."""

    title: str
    column: str
    join: str
    cuts: Callable[[CursorWrapper], Any]
    code: Callable[[Any], Composable]
    words: Callable[[int, Any], str]


def _lengths(cursor: CursorWrapper) -> list[int]:
    """The two lengths that part the labels into thirds."""
    cursor.execute(
        "SELECT percentile_disc(ARRAY[1 / 3.0, 2 / 3.0]) WITHIN GROUP (ORDER BY length) FROM audit_population"
    )
    (cuts,) = cursor.fetchone()
    return sorted(set(cuts or []))


def _length_words(code: int, cuts: Sequence[int]) -> str:
    if not cuts:
        return "any length"
    if code == 0:
        return f"to {cuts[0]:,} bytes"
    if code == len(cuts):
        return f"over {cuts[-1]:,} bytes"
    return f"{cuts[code - 1] + 1:,} to {cuts[code]:,} bytes"


def _sources(cursor: CursorWrapper) -> list[str]:
    cursor.execute(
        "SELECT source FROM audit_population WHERE source <> '' GROUP BY source"
        " ORDER BY count(*) DESC, source LIMIT %s",
        [MOST_SOURCES],
    )
    return [source for (source,) in cursor.fetchall()]


def _source_code(cuts: Sequence[str]) -> Composable:
    return SQL(
        "CASE WHEN source = '' THEN {none} ELSE coalesce(array_position({cuts}::text[], source) - 1, {other}) END"
    ).format(none=Literal(len(cuts) + 1), cuts=Literal(list(cuts)), other=Literal(len(cuts)))


def _source_words(code: int, cuts: Sequence[str]) -> str:
    return [*(f"source {source}" for source in cuts), "another source", "no source"][code]


_CONFLICT_WORDS = ("both orders agree", "the orders differ", "no valid verdict in the other order")


def _length_code(cuts: Sequence[int]) -> Composable:
    return SQL("width_bucket(length, {}::int[])").format(Literal([cut + 1 for cut in cuts]))


def _probability_code(cuts: Sequence[float]) -> Composable:
    return SQL("coalesce(width_bucket(probability, {}::float8[]), {})").format(
        Literal([float(cut) for cut in cuts]), Literal(len(cuts) + 1)
    )


def _probability_words(code: int, cuts: Sequence[float]) -> str:
    ends = [0, *cuts, 1]
    return "no probability" if code == len(cuts) + 1 else f"probability {ends[code]:g} to {ends[code + 1]:g}"


DIMENSIONS: Mapping[str, Dimension] = {
    "verdict": Dimension(
        "Verdict (1, 2, tie)",
        "v.choice AS verdict",
        "",
        lambda _cursor: None,
        lambda _cuts: SQL("verdict"),
        lambda code, _cuts: f"label {Choice(code).label.lower()}",
    ),
    "length": Dimension(
        "Length of both responses, in thirds",
        # In bytes of UTF-8: counting characters would read 300,000 pairs for half a second longer.
        "octet_length(one.text) + octet_length(two.text) AS length",
        "JOIN annotation_response one ON one.id = pair.response_1_id "
        "JOIN annotation_response two ON two.id = pair.response_2_id",
        _lengths,
        _length_code,
        _length_words,
    ),
    "source": Dimension(
        f"Source of the prompt (the {MOST_SOURCES} most frequent, and the others)",
        "prompt.source",
        "JOIN annotation_prompt prompt ON prompt.id = pair.prompt_id",
        _sources,
        _source_code,
        _source_words,
    ),
    "conflict": Dimension(
        "Order conflict",
        "CASE WHEN turned.choice = v.choice THEN 0 WHEN turned.choice IS NOT NULL THEN 1 ELSE 2 END AS conflict",
        "LEFT JOIN judging_verdict turned"
        " ON turned.run_id = v.run_id AND turned.pair_id = v.pair_id AND turned.swapped",
        lambda _cursor: None,
        lambda _cuts: SQL("conflict"),
        lambda code, _cuts: _CONFLICT_WORDS[code],
    ),
    "probability": Dimension(
        "The judge's probability of its label",
        "CASE v.choice WHEN 1 THEN v.p_1 WHEN 2 THEN v.p_2 ELSE v.p_tie END AS probability",
        "",
        lambda _cursor: list(PROBABILITIES),
        _probability_code,
        _probability_words,
    ),
}


def population_query(*, run_id: int, seed: int, dimensions: Sequence[str]) -> Composable:
    """All labels of a run, one a pair: (id, pair_id, choice, draw) and a column for each dimension.

    A label is a valid verdict in the given order. `draw` is as good as random, and hangs on the seed and on the pair's
    id in its file alone: the same seed on the same data draws the same labels in any installation.
    """
    chosen = [DIMENSIONS[name] for name in dimensions]
    return SQL(
        "SELECT v.id, v.pair_id, v.choice, md5({seed} || ':' || pair.external_id)::uuid AS draw{columns}"
        " FROM judging_verdict v JOIN annotation_pair pair ON pair.id = v.pair_id {joins}"
        " WHERE v.run_id = {run} AND NOT v.swapped AND v.choice IS NOT NULL"
    ).format(
        seed=Literal(str(seed)),
        columns=SQL("".join(f", {each.column}" for each in chosen)),
        joins=SQL(" ".join(each.join for each in chosen)),
        run=Literal(run_id),
    )


def code_of(cuts: Mapping[str, Any]) -> Composable:
    """A number for each stratum, made from the classes of its dimensions in the order of `cuts`."""
    code: Composable = SQL("0")
    for name, each in cuts.items():
        code = SQL("({} * {} + {})").format(code, Literal(_BASE), DIMENSIONS[name].code(each))
    return code


def cells_of(code: int, cuts: Mapping[str, Any]) -> dict[str, str]:
    """The words of each dimension of the stratum with this number."""
    cells = {}
    for name in reversed(cuts):
        code, each = divmod(code, _BASE)
        cells[name] = DIMENSIONS[name].words(each, cuts[name])
    return {name: cells[name] for name in cuts}
