"""The charts of a study's page."""

from collections.abc import Sequence
from datetime import date

import plotly.graph_objects as go

from annotation.study import Person, Study
from judging.charts import AXIS, PLAIN, Figure

# Enough colours that are told apart in the light and in the dark; whoever labelled less is shown together.
COLOURS = [f"var(--person-{number})" for number in range(1, 8)]
DAYS_SHOWN = 60


def labels_by_day(study: Study) -> Figure | None:
    """A bar a day, stacked by person; None before the first label."""
    days = study.days[-DAYS_SHOWN:]
    if not days:
        return None
    figure = go.Figure()
    for colour, (name, people) in zip(COLOURS, _shown(study.people, days), strict=False):
        figure.add_bar(
            x=[day.isoformat() for day in days],
            y=[sum(person.by_day.get(day, 0) for person in people) for day in days],
            name=name,
            marker={"color": colour},
            hovertemplate="%{x|%-d %b %Y}: %{y:,} labels<extra>" + name.replace("<", "&lt;") + "</extra>",
        )
    # Listed as they were stacked, the lowest first.
    legend = {"orientation": "h", "y": -0.2, "traceorder": "normal"}
    figure.update_layout(**PLAIN, height=360, barmode="stack", bargap=0.15, legend=legend)
    figure.update_xaxes(**AXIS, type="date", tickformat="%-d %b", **_day_ticks(len(days)))
    figure.update_yaxes(**AXIS, title="labels", rangemode="tozero", tickformat=",d")
    return figure.to_plotly_json()


def _shown(people: Sequence[Person], days: Sequence[date]) -> list[tuple[str, list[Person]]]:
    """Who has a colour of their own, and the others together; nobody who did nothing in these days."""
    active = [person for person in people if any(day in person.by_day for day in days)]
    alone = active if len(active) <= len(COLOURS) else active[: len(COLOURS) - 1]
    shown = [(person.user.get_username(), [person]) for person in alone]
    others = active[len(alone) :]
    return [*shown, (f"{len(others)} others", others)] if others else shown


def labels_so_far(study: Study) -> Figure | None:
    """All labels until each day, what is wanted, and where the pace leads; None before the first label."""
    if not study.days:
        return None
    figure = go.Figure()
    days = [day.isoformat() for day in study.days]
    so_far = [total for _, _, total in study.totals()]
    _add_projection(figure, study, days[-1])
    line = {"color": "var(--accent)", "width": 3}
    hover = "%{x|%-d %b %Y}: %{y:,}<extra></extra>"
    figure.add_scatter(x=days, y=so_far, mode="lines", name="labels so far", line=line, hovertemplate=hover)
    label = {"text": f"{study.wanted:,} wanted", "textposition": "start", "font": {"color": "var(--ink-soft)"}}
    figure.add_hline(y=study.wanted, line={"color": "var(--ok)", "dash": "dot"}, label=label)
    figure.update_layout(**PLAIN, height=360, legend={"orientation": "h", "y": -0.2})
    figure.update_xaxes(**AXIS, type="date", tickformat="%-d %b", **_day_ticks(_days_drawn(study)))
    # Room for the words above the uppermost line.
    figure.update_yaxes(**AXIS, title="labels", range=[0, 1.15 * study.wanted], tickformat=",d")
    return figure.to_plotly_json()


def _add_projection(figure: go.Figure, study: Study, today: str) -> None:
    end = study.projection
    if end is None:
        return
    if end.earliest and end.latest:
        figure.add_scatter(
            x=[today, end.earliest.date().isoformat(), end.latest.date().isoformat(), today],
            y=[study.done, study.wanted, study.wanted, study.done],
            fill="toself",
            mode="none",
            fillcolor="var(--chart-high)",
            opacity=0.5,
            name="80% range",
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=[today, end.end.date().isoformat()],
        y=[study.done, study.wanted],
        mode="lines",
        name="at this pace",
        line={"color": "var(--accent)", "dash": "dash"},
        hovertemplate="%{x|%-d %b %Y}: %{y:,}<extra></extra>",
    )


def _days_drawn(study: Study) -> int:
    end = study.projection and (study.projection.latest or study.projection.end)
    last = max(study.days[-1], end.date()) if end else study.days[-1]
    return (last - study.days[0]).days + 1


def _day_ticks(days: int) -> dict[str, object]:
    """No hours between few days, which would name each of them more than once."""
    return {"dtick": 86400000} if days <= 10 else {}
