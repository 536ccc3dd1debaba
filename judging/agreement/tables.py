"""The numbers of the agreement page as CSV, one a line, unrounded."""

import csv
import io
from collections.abc import Iterator

from annotation.agreement import Measure
from judging.agreement.page import ORDER
from judging.agreement.rows import NAMES, AgreementNumbers, Cell

HEADER = ["section", "rater", "of", "measure", "value", "low", "high", "n"]
Line = list[object]


def written(numbers: AgreementNumbers | None) -> str:
    """The header alone where there are no labels."""
    file = io.StringIO()
    lines = csv.writer(file)
    lines.writerow(HEADER)
    if numbers:
        lines.writerows(_lines(numbers))
    return file.getvalue()


def _lines(numbers: AgreementNumbers) -> Iterator[Line]:
    for name, measure in numbers.overall.items():
        yield _line("all", "", "", name, measure)
    for two in numbers.two:
        for cell in two.cells:
            if cell:
                yield _line("two", two.rater.name, cell[2], "cohen_kappa", cell[0])
    for rest in numbers.rest:
        yield _line("rest", rest.rater.name, "", "agreement", rest.agreement)
        yield _line("rest", rest.rater.name, "", "cohen_kappa", rest.kappa)
        yield from _nine("rest", rest.rater.name, rest.cells)
    for model in numbers.model:
        yield ["dawid_skene", model.rater.name, "", "right", model.right, "", "", ""]
        yield from _nine("dawid_skene", model.rater.name, model.cells)
    for time in numbers.times:
        for name in ("lower", "median", "upper"):
            yield ["seconds", time.rater.name, "", name, getattr(time, name), "", "", time.n]
    for row in numbers.drift:
        stretch = f"{row.first.isoformat()}/{row.last.isoformat()}"
        yield _line("time", row.rater.name, stretch, "agreement", row.stretch.agreement)
    for section, slices in (("source", numbers.sources), ("length", numbers.lengths)):
        for part in slices:
            yield _line(section, "", part.name, "raw_agreement", part.raw)
            yield _line(section, "", part.name, "krippendorff_alpha", part.alpha)
    for side in numbers.sides:
        yield _line("side", side.rater.name, "", "left_share", side.share)
    for reveal in numbers.reveals:
        yield _line("reveal", reveal.rater.name, "", "changed", reveal.share)


def _line(section: str, rater: str, of: str, name: str, measure: Measure) -> Line:
    """Empty where a measure is not defined, or has no interval."""
    low, high = measure.interval or ("", "")
    return [section, rater, of, name, "" if measure.value is None else measure.value, low, high, measure.n]


def _nine(section: str, rater: str, cells: list[Cell]) -> Iterator[Line]:
    said = [(NAMES[true], NAMES[choice]) for true in ORDER for choice in ORDER]
    for (true, choice), cell in zip(said, cells, strict=True):
        yield [section, rater, true, f"says_{choice}", cell.value, "", "", ""]
