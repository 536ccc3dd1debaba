"""Charts as plotly figures, made here, drawn by static/js/charts.js. A table with the same numbers stands beside each.

Colours are variables of base.css and leaderboard.css, which the page resolves, so that charts follow light and dark.
"""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

Figure = dict[str, Any]

SCALE = [[0, "var(--card)"], [1, "var(--chart-high)"]]
TWO_WAY = [[0, "var(--chart-lose)"], [0.5, "var(--card)"], [1, "var(--chart-win)"]]
PLAIN = {
    "font": {"color": "var(--ink)", "size": 13},
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
    "template": None,
}
AXIS = {"automargin": True, "gridcolor": "var(--line)", "zerolinecolor": "var(--line)", "linecolor": "var(--line)"}


def _matrix(names: Sequence[str], values: list[list[float | None]], texts: list[list[str]], **trace: Any) -> Figure:
    figure = go.Figure(
        go.Heatmap(
            x=list(names),
            y=list(names),
            z=values,
            text=texts,
            texttemplate="%{text}",
            textfont={"color": "var(--ink)"},
            hoverongaps=False,
            showscale=False,
            **trace,
        )
    )
    figure.update_layout(**PLAIN, height=140 + 44 * len(names))
    figure.update_xaxes(**AXIS, side="top", type="category", showgrid=False)
    figure.update_yaxes(**AXIS, autorange="reversed", type="category", showgrid=False)
    return figure.to_plotly_json()


def agreement_matrix(names: Sequence[str], kappas: dict[tuple[int, int], float | None]) -> Figure:
    """Cohen's kappa of each two people, keyed by indices (a, b) with a < b."""
    n = len(names)
    values = [[kappas.get((min(i, j), max(i, j))) if i != j else None for j in range(n)] for i in range(n)]
    texts = [["" if value is None else f"{value:.3f}" for value in row] for row in values]
    return _matrix(
        names,
        values,
        texts,
        zmin=0,
        zmax=1,
        colorscale=SCALE,
        hovertemplate="%{y} and %{x}: kappa %{z:.3f}<extra></extra>",
    )


def win_matrix(names: Sequence[str], wins: list[list[int]], ties: list[list[int]]) -> Figure:
    """The share of pairs that each generator (row) wins against each other (column), ties counting a half."""
    n = len(names)

    def share(i: int, j: int) -> float | None:
        met = wins[i][j] + wins[j][i] + ties[i][j]
        return (wins[i][j] + ties[i][j] / 2) / met if met and i != j else None

    values = [[share(i, j) for j in range(n)] for i in range(n)]
    texts = [["" if value is None else f"{value:.0%}" for value in row] for row in values]
    return _matrix(
        names,
        values,
        texts,
        zmin=0,
        zmax=1,
        colorscale=TWO_WAY,
        hovertemplate="%{y} wins %{z:.1%} against %{x}<extra></extra>",
    )


def reliability_diagram(judges: Sequence[tuple[str, Sequence[tuple[float, float, float, int]]]]) -> Figure:
    """How often each judge is right (up) when it is so sure (across); on the diagonal its probabilities are true."""
    figure = go.Figure()
    line = {"color": "var(--line-strong)", "dash": "dot"}
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, name="calibrated", hoverinfo="skip")
    colours = ["var(--choice-1)", "var(--choice-2)", "var(--ok)", "var(--accent)", "var(--bad)"]
    for number, (name, bins) in enumerate(judges):
        figure.add_scatter(
            x=[confidence for _, confidence, _, _ in bins],
            y=[right for _, _, right, _ in bins],
            customdata=[n for *_, n in bins],
            mode="lines+markers",
            name=name,
            line={"color": colours[number % len(colours)]},
            hovertemplate="%{y:.1%} right at %{x:.1%}, %{customdata} pairs<extra>"
            + name.replace("<", "&lt;")
            + "</extra>",
        )
    figure.update_layout(**PLAIN, height=380, legend={"orientation": "h", "y": -0.25})
    percent = {"range": [0, 1.02], "tickformat": ".0%"}
    figure.update_xaxes(**AXIS, **percent, title="probability of its choice")
    figure.update_yaxes(**AXIS, **percent, title="share right")
    return figure.to_plotly_json()


def accuracy_chart(rows: Sequence[tuple[str, float, tuple[float, float] | None, str]]) -> Figure:
    """Accuracy with its interval, a row each: (name, accuracy, interval, kind: judge, baseline or people)."""
    figure = go.Figure()
    colours = {"judge": "var(--accent)", "baseline": "var(--choice-tie)", "people": "var(--ok)"}
    for kind, colour in colours.items():
        of_kind = [row for row in rows if row[3] == kind]
        if of_kind:
            figure.add_scatter(
                x=[accuracy for _, accuracy, _, _ in of_kind],
                y=[name for name, *_ in of_kind],
                mode="markers",
                name=kind,
                marker={"color": colour, "size": 10},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [(i[1] - a) if i else 0 for _, a, i, _ in of_kind],
                    "arrayminus": [(a - i[0]) if i else 0 for _, a, i, _ in of_kind],
                    "color": colour,
                },
                hovertemplate="%{y}: %{x:.4f}<extra></extra>",
            )
    figure.update_layout(**PLAIN, height=110 + 34 * len(rows), legend={"orientation": "h", "y": -0.25})
    figure.update_xaxes(**AXIS, title="accuracy, with its 95% interval")
    names = [name for name, *_ in rows]
    figure.update_yaxes(**AXIS, type="category", categoryorder="array", categoryarray=names[::-1])
    return figure.to_plotly_json()
