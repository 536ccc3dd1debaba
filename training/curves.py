"""Curves of training as plotly figures, drawn as judging.charts are: colours are variables that the page resolves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from judging.charts import AXIS, PLAIN

COLOURS = ("var(--accent)", "var(--choice-2)", "var(--ok)", "var(--choice-1)", "var(--bad)", "var(--choice-tie)")


@dataclass(frozen=True)
class Curve:
    """rows: (step, loss, learning rate, gradient norm). held_out: (step, loss)."""

    name: str
    rows: Sequence[tuple[float, ...]]
    held_out: Sequence[tuple[int, float]]


def curve_chart(curves: Sequence[Curve], column: int, title: str, *, held_out: bool = False) -> dict[str, Any]:
    """One line a run over its steps; with the loss on what was held out as points."""
    figure = go.Figure()
    for number, curve in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        name = curve.name.replace("<", "&lt;")
        figure.add_scatter(
            x=[row[0] for row in curve.rows],
            y=[row[column] for row in curve.rows],
            mode="lines",
            name=name,
            line={"color": colour, "width": 2},
            hovertemplate=f"step %{{x:.0f}}: %{{y:.4g}}<extra>{name}</extra>",
        )
        if held_out and curve.held_out:
            figure.add_scatter(
                x=[step for step, _ in curve.held_out],
                y=[loss for _, loss in curve.held_out],
                mode="markers",
                name=f"{name}, held out",
                marker={"color": colour, "size": 9, "symbol": "diamond"},
                hovertemplate=f"step %{{x}}: %{{y:.4f}}<extra>{name}, held out</extra>",
            )
    named = len(curves) > 1 or held_out
    figure.update_layout(**PLAIN, height=300, showlegend=named, legend={"orientation": "h", "y": -0.3})
    figure.update_xaxes(**AXIS, title="step")
    figure.update_yaxes(**AXIS, title=title)
    return figure.to_plotly_json()
