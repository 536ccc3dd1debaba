"""Rows for tests: plain functions, each with defaults for all that a test does not care about."""

from itertools import count

from annotation.models import (
    Choice,
    Dataset,
    Generator,
    Guideline,
    Label,
    Pair,
    Prompt,
    Response,
    Role,
    Slot,
    User,
    content_hash,
)
from annotation.slots import make_slots
from judging.judges import create_judge
from judging.models import Judge

PASSWORD = "correct horse battery"

_number = count(1)


def make_user(*, role: Role = Role.ANNOTATOR, username: str = "", **fields: object) -> User:
    name = username or f"{role}{next(_number)}"
    return User.objects.create_user(name, password=PASSWORD, role=role, **fields)


def make_dataset(*, slug: str = "", pairs: int = 0, **fields: object) -> Dataset:
    """A dataset with this many pairs, each with its free slots."""
    dataset = Dataset.objects.create(slug=slug or f"dataset-{next(_number)}", **fields)
    for _ in range(pairs):
        make_pair(dataset=dataset)
    return dataset


def make_guideline(*, dataset: Dataset, text: str = "Prefer the **true** response.") -> Guideline:
    return Guideline.objects.create(dataset=dataset, number=dataset.guidelines.count() + 1, text=text)


def make_prompt(*, instruction: str = "", given: str = "", **fields: str) -> Prompt:
    instruction = instruction or f"Instruction {next(_number)}"
    texts = (instruction, given, fields.get("source", ""), fields.get("reference", ""))
    return Prompt.objects.create(instruction=instruction, input=given, content_hash=content_hash(*texts), **fields)


def make_response(*, prompt: Prompt, text: str | None = None, generator: str = "") -> Response:
    text = f"Response {next(_number)}" if text is None else text
    by = Generator.objects.get_or_create(name=generator)[0] if generator else None
    return Response.objects.create(prompt=prompt, generator=by, text=text, text_hash=content_hash(text))


def make_pair(
    *,
    dataset: Dataset | None = None,
    prompt: Prompt | None = None,
    texts: tuple[str, str] | None = None,
    generators: tuple[str, str] = ("", ""),
    external_id: str = "",
) -> Pair:
    """A pair with its slots. `texts` are those of response 1 and response 2."""
    dataset = dataset or make_dataset()
    prompt = prompt or make_prompt()
    one, two = texts or (None, None)
    pair = Pair.objects.create(
        dataset=dataset,
        prompt=prompt,
        response_1=make_response(prompt=prompt, text=one, generator=generators[0]),
        response_2=make_response(prompt=prompt, text=two, generator=generators[1]),
        external_id=external_id or f"pair-{next(_number)}",
    )
    make_slots(dataset=dataset)
    return pair


def add_pairs(*, dataset: Dataset, number: int) -> None:
    """So many pairs of one prompt in two statements, without slots."""
    prompt = make_prompt()
    first, *others = Response.objects.bulk_create(
        Response(prompt=prompt, text=str(n), text_hash=content_hash(str(n))) for n in range(number + 1)
    )
    Pair.objects.bulk_create(
        Pair(dataset=dataset, prompt=prompt, response_1=first, response_2=response, external_id=response.text)
        for response in others
    )


def make_label(*, pair: Pair, annotator: User, choice: Choice = Choice.FIRST, **fields: object) -> Label:
    """A label in the first free slot of the pair, as an import makes it: without a claim."""
    slot = Slot.objects.filter(pair=pair, state=Slot.State.FREE).order_by("number").first()
    if slot is None:
        raise ValueError(f"{pair} has no free slot: give the dataset more labels_per_pair")
    slot.state, slot.annotator = Slot.State.DONE, annotator
    slot.save()
    return Label.objects.create(pair=pair, annotator=annotator, choice=choice, **fields)


def make_judge(*, name: str = "", backend: str = Judge.Backend.FAKE, **fields: object) -> Judge:
    """A judge, the fake one if nothing else is said, that can be run."""
    return create_judge(name=name or f"judge-{next(_number)}", backend=backend, **fields)
