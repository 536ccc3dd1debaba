"""What a judge reads by a prompt template, of a real pair: the same calls that the backends make."""

from dataclasses import dataclass

from annotation.models import Dataset, Pair
from judging.prompts.asking import Message, Template
from judging.prompts.steering import made_harmless
from judging.runs.questions import question_of

ROLES = {"system": "System", "user": "User"}
FIRST, SHOWN, NEXT = "first", "show", "next"


@dataclass(frozen=True)
class Preview:
    """messages: what a judge reads, none where it is not asked. lacks: why not. escaped: marks that were broken.

    number: the pair's place in its dataset, from 1, of n_pairs.
    """

    pair: Pair
    number: int
    n_pairs: int
    swapped: bool
    messages: list[Message]
    lacks: str
    escaped: list[str]
    whole: bool

    @property
    def titled(self) -> list[tuple[str, str]]:
        """The messages with their titles; a completion is one text."""
        return [("The whole text" if self.whole else ROLES[each["role"]], each["content"]) for each in self.messages]


def preview_of(*, template: Template, pair: Pair, swapped: bool, reasons: bool) -> Preview:
    question = question_of(pair, swapped=swapped)
    lacks = template.lacks(question.asked)
    asked, escaped = made_harmless(question.asked, template.marks)
    pairs = Pair.objects.filter(dataset_id=pair.dataset_id)
    return Preview(
        pair=pair,
        number=pairs.filter(pk__lte=pair.pk).count(),
        n_pairs=pairs.count(),
        swapped=swapped,
        messages=[] if lacks else template.chat(asked, reasons),
        lacks=lacks,
        escaped=[] if lacks else escaped,
        whole=template.prompt is not None,
    )


def pair_to_show(*, dataset: Dataset, which: str, shown: int | None) -> Pair | None:
    """The first pair, the one that is shown, or the next; behind the last comes the first. None without pairs."""
    pairs = Pair.objects.filter(dataset=dataset).select_related("prompt", "response_1", "response_2").order_by("pk")
    if shown is not None and which == SHOWN:
        found = pairs.filter(pk=shown).first()
    elif shown is not None and which == NEXT:
        found = pairs.filter(pk__gt=shown).first()
    else:
        found = None
    return found or pairs.first()
