"""Charts of the agreement page. Colours and the rest as in judging.charts."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from annotation.agreement import Measure
from judging.agreement.rows import AgreementNumbers, TimeRow
from judging.charts import AXIS, PLAIN, Figure, agreement_matrix

COLOURS = ["var(--choice-1)", "var(--choice-2)", "var(--ok)", "var(--accent)", "var(--bad)", "var(--warn)"]
# More people than this would be more lines than anybody can tell apart.
LINES = 6
DAY = "%Y-%m-%d %H:%M"


def matrix(numbers: AgreementNumbers) -> Figure:
    kappas = {
        (a, b): cell[0].value
        for a, row in enumerate(numbers.two)
        for b, cell in enumerate(row.cells)
        if cell is not None and a < b
    }
    return agreement_matrix([rater.name for rater in numbers.raters], kappas)


def dots(rows: Sequence[tuple[str, Measure]], *, title: str, line: float | None = None, colour: str) -> Figure:
    """A share of each rater with its interval. line: a share that means something, drawn through."""
    known = [
        (name, measure.value, measure.interval or (measure.value,) * 2)
        for name, measure in rows
        if measure.value is not None
    ]
    figure = go.Figure()
    figure.add_scatter(
        x=[value for _, value, _ in known],
        y=[name for name, *_ in known],
        mode="markers",
        marker={"color": colour, "size": 10},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - value for _, value, (_, high) in known],
            "arrayminus": [value - low for _, value, (low, _) in known],
            "color": colour,
        },
        hovertemplate="%{y}: %{x:.1%}<extra></extra>",
    )
    if line is not None:
        figure.add_vline(x=line, line={"color": "var(--line-strong)", "dash": "dot"})
    figure.update_layout(**PLAIN, height=90 + 32 * len(known))
    figure.update_xaxes(**AXIS, title=title, tickformat=".0%")
    return _named(figure, [name for name, *_ in known])


def times(rows: Sequence[TimeRow]) -> Figure:
    """Each rater's seconds: a bar from the lower to the upper quartile, and the median in it."""
    figure = go.Figure()
    names = [row.rater.name for row in rows]
    figure.add_bar(
        orientation="h",
        y=names,
        base=[row.lower for row in rows],
        x=[row.upper - row.lower for row in rows],
        marker={"color": "var(--chart-high)"},
        hoverinfo="skip",
        width=0.5,
    )
    figure.add_scatter(
        x=[row.median for row in rows],
        y=names,
        mode="markers",
        marker={"color": "var(--accent)", "size": 11, "symbol": "line-ns-open", "line": {"width": 3}},
        hovertemplate="%{y}: median %{x:.1f} s<extra></extra>",
    )
    figure.update_layout(**PLAIN, height=90 + 32 * len(rows), showlegend=False)
    figure.update_xaxes(**AXIS, title="seconds a label", rangemode="tozero")
    return _named(figure, names)


def drift(numbers: AgreementNumbers) -> Figure:
    """Agreement with the rest over time, a line each person; those with most stretches where there are many."""
    by_person: dict[str, list] = {}
    for row in numbers.drift:
        if row.stretch.agreement.value is not None:
            by_person.setdefault(row.rater.name, []).append(row)
    shown = sorted(by_person.items(), key=lambda item: -len(item[1]))[:LINES]
    figure = go.Figure()
    for number, (name, rows) in enumerate(sorted(shown)):
        colour = COLOURS[number % len(COLOURS)]
        values = [row.stretch.agreement for row in rows]
        figure.add_scatter(
            x=[row.last.strftime(DAY) for row in rows],
            y=[measure.value for measure in values],
            mode="lines+markers",
            name=name,
            line={"color": colour},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [measure.interval[1] - measure.value for measure in values],
                "arrayminus": [measure.value - measure.interval[0] for measure in values],
                "color": colour,
                "thickness": 1,
            },
            hovertemplate="%{y:.1%}, until %{x}<extra>" + name.replace("<", "&lt;") + "</extra>",
        )
    figure.update_layout(**PLAIN, height=360, legend={"orientation": "h", "y": -0.25})
    figure.update_xaxes(**AXIS, type="date")
    figure.update_yaxes(**AXIS, title="agrees with the rest", tickformat=".0%")
    return figure.to_plotly_json()


def _named(figure: go.Figure, names: list[str]) -> Figure:
    figure.update_yaxes(**AXIS, type="category", categoryorder="array", categoryarray=names[::-1])
    return figure.to_plotly_json()


@dataclass(frozen=True)
class Figures:
    """The charts of the page; None where there is nothing to draw."""

    matrix: Figure | None
    rest: Figure | None
    times: Figure | None
    drift: Figure | None
    sides: Figure | None


def figures_of(numbers: AgreementNumbers) -> Figures:
    rest = [(row.rater.name, row.agreement) for row in numbers.rest]
    sides = [(row.rater.name, row.share) for row in numbers.sides]
    several = [cell for row in numbers.two for cell in row.cells if cell and cell[0].value is not None]
    return Figures(
        matrix=matrix(numbers) if several else None,
        rest=dots(rest, title="agrees with the rest", colour="var(--accent)") if _any(rest) else None,
        times=times(numbers.times) if numbers.times else None,
        drift=drift(numbers) if numbers.drift else None,
        sides=dots(sides, title="chose the left side", line=0.5, colour="var(--ok)") if _any(sides) else None,
    )


def _any(rows: Sequence[tuple[str, Measure]]) -> bool:
    return any(measure.value is not None for _, measure in rows)
