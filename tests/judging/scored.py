"""A small dataset that has everything which scores speak of, and what each number of it must be."""

from annotation.models import Dataset
from judging.models import Judge, JudgeRun, Verdict
from tests import factories

# Of each pair: three labels, the verdict in the given order and in the other (None is invalid), by the pair's terms.
ROWS = [
    ((1, 1, 1), 1, 1),
    ((1, 1, 2), 1, 2),
    ((2, 2, 2), 2, 2),
    ((2, 2, 0), 1, 1),
    ((0, 0, 0), 0, 0),
    ((0, 1, 2), 2, 2),
    ((1, 1, 1), None, 1),
    ((2, 2, 2), 2, 1),
]
MAJORITY = [1, 1, 2, 2, 0, None, 1, 2]


def make_judge(name: str = "both-ways", **fields: object) -> Judge:
    return Judge.objects.create(name=name, **({"backend": Judge.Backend.FAKE} | fields))


def make_verdict(
    run: JudgeRun, pair: object, choice: int | None, *, swapped: bool = False, **fields: object
) -> Verdict:
    status = Verdict.Status.INVALID if choice is None else Verdict.Status.OK
    return Verdict.objects.create(run=run, pair=pair, choice=choice, swapped=swapped, status=status, **fields)


def make_scored_dataset(slug: str = "scored") -> tuple[Dataset, JudgeRun]:
    """The pairs of ROWS, two to a prompt, labelled by ann, bob and cy; a judge ran over them in both orders."""
    dataset = factories.make_dataset(slug=slug, labels_per_pair=3)
    people = [factories.make_user(username=f"{name}-{slug}") for name in ("ann", "bob", "cy")]
    run = JudgeRun.objects.create(judge=make_judge(f"both-ways-{slug}"), dataset=dataset, order=JudgeRun.Order.BOTH)
    prompt = None
    for number, (labels, given, swapped) in enumerate(ROWS):
        prompt = factories.make_prompt() if number % 2 == 0 else prompt
        pair = factories.make_pair(
            dataset=dataset,
            prompt=prompt,
            texts=(f"{number} longer text", f"{number} short"),
            generators=("red", "blue"),
        )
        for person, choice in zip(people, labels, strict=True):
            factories.make_label(pair=pair, annotator=person, choice=choice, shown_swapped=number % 2 == 1)
        for choice, turned in ((given, False), (swapped, True)):
            p = {} if choice is None else {"p_1": 0.1, "p_2": 0.1, "p_tie": 0.1, ("p_tie", "p_1", "p_2")[choice]: 0.8}
            make_verdict(run, pair, choice, swapped=turned, seconds=0.5, cost="0.001", **p)
    return dataset, run
