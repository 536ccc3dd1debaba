"""A dataset of distilled labels, and audits of it."""

from types import SimpleNamespace

from annotation.models import Choice
from judging.audits.asking import ask
from judging.models import Audit, JudgeRun
from tests import factories
from tests.judging.scored import make_judge, make_verdict

REASON = "SECRET REASON: Response 1 is better because it says more."


def make_distilled(*, pairs: int = 12, labels_per_pair: int = 0, slug: str = "distilled") -> SimpleNamespace:
    """Pairs with a distilled label each, 1, 2, tie, 1, ... in the order in which they came in."""
    dataset = factories.make_dataset(slug=slug, purpose="train", labels_per_pair=labels_per_pair)
    run = JudgeRun.objects.create(judge=make_judge(f"secret-judge-{slug}"), dataset=dataset)
    made = []
    for number in range(pairs):
        prompt = factories.make_prompt(instruction=f"Question {number} of {slug}", source=("Mail", "Books")[number % 2])
        pair = factories.make_pair(
            dataset=dataset,
            prompt=prompt,
            texts=(f"left text {number} " + "x" * number * 10, f"right text {number}"),
            external_id=f"row-{number}",
            generators=("secret-model-x", "secret-model-y"),
        )
        choice = (Choice.FIRST, Choice.SECOND, Choice.TIE)[number % 3]
        make_verdict(run, pair, choice, reason=REASON, reference="SECRET REFERENCE")
        made.append(pair)
    return SimpleNamespace(dataset=dataset, run=run, pairs=made)


def draw_sample(*, run, dimensions, size, seed, proportional=True, minimum=0, created_by=None) -> Audit:
    how = {"dimensions": dimensions, "proportional": proportional, "minimum": minimum}
    return ask(run=run, mode=Audit.Mode.SAMPLE, size=size, seed=seed, how=how, created_by=created_by)


def draw_suspicious(*, run, signals, size, probabilities=None, created_by=None) -> Audit:
    how = {"signals": signals, "probabilities": probabilities and probabilities.pk}
    return ask(run=run, mode=Audit.Mode.SUSPICIOUS, size=size, how=how, created_by=created_by)
