"""What the page on trust in a run shows, and how much of the dataset would go to people."""

from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np
import plotly.graph_objects as go

from judging.charts import AXIS, PLAIN, Figure
from judging.models import JudgeRun
from judging.scores.calibration import probabilities
from judging.scores.comparison import ABSENT, decided
from judging.scores.evidence import read_people, run_evidence
from judging.scores.policies import Policy
from judging.scores.scoring import gold_of
from judging.trust.numbers import (
    Calibration,
    Kept,
    calibration_of,
    held_out,
    kept,
    risk_coverage,
    scaled,
    temperature,
    threshold_for,
)

STEPS = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
# More points than a screen has columns are not seen.
POINTS = 400


@dataclass(frozen=True)
class Choice:
    """A threshold chosen on one half of the prompts, and what it comes to on the other.

    to_people: pairs of the whole dataset that are less sure, and query leads to them.
    """

    target: float
    tried: Kept
    to_people: int
    judged: int
    query: str


@dataclass(frozen=True)
class Trust:
    n: int
    learnt_from: int
    tried_on: int
    temperature: float | None
    before: Calibration
    after: Calibration
    steps: list[Kept]
    choice: Choice | None
    figure: Figure | None


def trust_of(*, run: JudgeRun, policy: Policy, target: float, seed: int) -> Trust:
    people = read_people(run.dataset)
    passes = run_evidence(run, people.pair_ids).passes
    gold, p = gold_of(people, policy), probabilities(passes, conflict=policy.conflict)
    said = decided(passes, conflict=policy.conflict, invalid=policy.invalid)
    known = (gold != ABSENT) & ~np.isnan(p).any(axis=1) & (said != ABSENT)
    out = held_out(people.prompts, seed=seed)
    found = temperature(np.where(out, ABSENT, gold), p)
    everywhere = np.ones(len(gold), dtype=bool)
    chosen = threshold_for(gold, p, said, accuracy=target, where=~out)
    return Trust(
        n=int(known.sum()),
        learnt_from=int((known & ~out).sum()),
        tried_on=int((known & out).sum()),
        temperature=found,
        before=calibration_of(gold, p, out, people.prompts),
        after=calibration_of(gold, scaled(p, found or 1.0), out, people.prompts),
        steps=[kept(gold, p, said, step, everywhere, people.prompts) for step in STEPS],
        choice=None
        if chosen is None
        else Choice(
            target,
            kept(gold, p, said, chosen, out, people.prompts),
            *_below(p, chosen),
            below_query(run, policy, chosen),
        ),
        figure=_figure(*risk_coverage(gold, p, said), target) if known.any() else None,
    )


def _below(p: np.ndarray, threshold: float) -> tuple[int, int]:
    top = p[~np.isnan(p).any(axis=1)].max(axis=1)
    return int((top < threshold).sum()), len(top)


def below_query(run: JudgeRun, policy: Policy, threshold: float) -> str:
    """The review list of the pairs of which the run is less sure."""
    return urlencode({"run": run.pk, "below": repr(threshold), "policy": policy.name})


def _figure(thresholds: np.ndarray, coverage: np.ndarray, risks: np.ndarray, target: float) -> Figure:
    some = np.unique(np.linspace(0, len(coverage) - 1, min(len(coverage), POINTS)).astype(int))
    figure = go.Figure()
    figure.add_scatter(
        x=coverage[some].tolist(),
        y=(1 - risks[some]).tolist(),
        customdata=thresholds[some].tolist(),
        mode="lines",
        name="accuracy of what is kept",
        line={"color": "var(--accent)", "width": 3},
        hovertemplate="%{y:.1%} right on %{x:.1%} of the pairs, those of at least %{customdata:.3f}<extra></extra>",
    )
    label = {"text": f"{target:.0%} asked for", "textposition": "start", "font": {"color": "var(--ink-soft)"}}
    figure.add_hline(y=target, line={"color": "var(--ok)", "dash": "dot"}, label=label)
    figure.update_layout(**PLAIN, height=360, showlegend=False)
    figure.update_xaxes(**AXIS, range=[0, 1.02], tickformat=".0%", title="share of the pairs left to the judge")
    low = max(0.0, float((1 - risks).min()) - 0.05)
    figure.update_yaxes(**AXIS, range=[low, 1.02], tickformat=".0%", title="share right")
    return figure.to_plotly_json()
