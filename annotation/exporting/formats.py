"""The formats that are written, and what each of them wants to know."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from annotation.exporting import jsonl, pandalm, parquet, tables
from annotation.exporting.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """`holds` says in a sentence what is in the file and what is not. Gold is in it where a policy is chosen."""

    name: str
    title: str
    holds: str
    ending: str
    content_type: str
    write: Callable[[Work], Iterator[bytes]]
    has_verdicts: bool = False
    needs_policy: bool = False
    needs_judge: bool = False
    is_compressed: bool = False


FORMATS = {
    each.name: each
    for each in (
        Format(
            name="tiebreak",
            title="Tiebreak, JSON Lines",
            holds="Everything: texts, models, labels, verdicts, extra keys. It imports to the same rows.",
            ending=".jsonl",
            content_type="application/jsonl",
            write=jsonl.tiebreak,
            has_verdicts=True,
        ),
        Format(
            name="csv",
            title="CSV, a row a pair",
            holds="Texts and models, with a column of choices for each annotator and each judge. It can be imported.",
            ending=".csv",
            content_type="text/csv; charset=utf-8",
            write=tables.pairs,
            has_verdicts=True,
        ),
        Format(
            name="csv-labels",
            title="CSV, a row a label",
            holds="Who chose what, when, how fast and why, with aspects and confidence. No texts of pairs.",
            ending="-labels.csv",
            content_type="text/csv; charset=utf-8",
            write=tables.labels,
        ),
        Format(
            name="parquet",
            title="Parquet",
            holds="Everything, a row a pair, with its labels and verdicts as lists. For pandas, Polars and DuckDB.",
            ending=".parquet",
            content_type="application/vnd.apache.parquet",
            write=parquet.write,
            has_verdicts=True,
            is_compressed=True,
        ),
        Format(
            name="preferences",
            title="Preferences, JSON Lines",
            holds="Prompt, chosen and rejected, as Hugging Face's trainers read them, for each pair that has gold.",
            ending="-preferences.jsonl",
            content_type="application/jsonl",
            write=jsonl.preferences,
            needs_policy=True,
        ),
        Format(
            name="pandalm",
            title="PandaLM test set, JSON",
            holds="Texts and models, with a column of choices for each annotator. No verdicts.",
            ending=".json",
            content_type="application/json",
            write=pandalm.testset,
        ),
        Format(
            name="pandalm-train",
            title="PandaLM training data, JSON",
            holds="Texts with one judge's choice, reason and reference, for the pairs on which it has a choice.",
            ending="-train.json",
            content_type="application/json",
            write=pandalm.train,
            has_verdicts=True,
            needs_judge=True,
        ),
    )
}
