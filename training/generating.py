"""A candidate's answers to the prompts of a dataset, as responses of its generator. Imports torch when it works.

As PandaLM's candidates were asked: Alpaca's prompt, four beams, a penalty on repetition. Prompts of like length are
written to together. What is answered is saved as it comes and not asked again. Several workers may share the prompts
(jobs.crews).
"""

import logging
from collections.abc import Iterator, Sequence

from django.db.models import QuerySet

from annotation.models import Pair, Prompt, Response, content_hash
from jobs.crews import Crew, WorkIsOver, dismiss
from jobs.errors import PermanentError
from jobs.leases import own_gpu
from jobs.running import Running
from judging.runs.questions import storable
from training.alpaca import alpaca_prompt
from training.models import AnswerChunk, Checkpoint
from training.promotion import helpers_of
from training.sharing import fetch_weights

logger = logging.getLogger(__name__)

BEAMS, PENALTY, ROOM = 4, 1.2, 512
# Prompt tokens that are written to at once; beams make it four times as many rows.
BATCH_TOKENS = 4096
# Prompts that one worker takes at a time.
CHUNK = 256


def generate(running: Running) -> None:
    """Answer what is not answered yet, with as many workers as the checkpoint names."""
    checkpoint = _find(running)
    if checkpoint.generating_id != running.job_id:
        raise PermanentError(f"Job {checkpoint.generating_id} has taken over these answers. Carry on with that one.")
    _take_part(running, checkpoint)
    dismiss(helpers_of(checkpoint))


def help_generate(running: Running) -> None:
    """A further worker: the same work, for as long as the answers' own job is not over."""
    try:
        _take_part(running, _find(running))
    except WorkIsOver:
        logger.info("The answers' own job is over, and so is this worker's part in it.")


def _find(running: Running) -> Checkpoint:
    checkpoint = Checkpoint.objects.select_related("run", "generator", "answers").get(pk=running.subject_id)
    if checkpoint.answers is None:
        raise PermanentError("The dataset whose prompts were to be answered was removed.")
    return checkpoint


def _take_part(running: Running, checkpoint: Checkpoint) -> None:
    crew = Crew(running, owner=checkpoint, leader=checkpoint.generating_id, workers=checkpoint.workers)
    crew.check()
    total = _prompts(checkpoint).count()

    def tell(phase: str) -> bool:
        """Whether anything is left."""
        left = _unanswered(checkpoint).count()
        running.progress(total - left, total, phase)
        return left > 0

    def beyond(after: int, limit: int) -> list[int]:
        return list(_unanswered(checkpoint).filter(prompt__gt=after)[:limit])

    if not tell("Loading the model"):
        return
    with own_gpu(running, check=crew.check):
        crew.check()
        # Who waited long for a device need not load the model for nothing.
        if not crew.finds_work(beyond) and (crew.is_helper or crew.all_done()):
            return
        writer = Writer(str(fetch_weights(checkpoint)))
        while True:
            if chunk := crew.take(beyond, size=CHUNK):
                for answers in _answers(writer, _unanswered(checkpoint), chunk):
                    with running.writing():
                        _save(checkpoint, answers)
                    crew.check()
                    tell("Answering")
                with running.writing():
                    crew.finish([chunk])
            elif crew.all_done():
                tell("Answering")
                return
            else:
                tell("Waiting for other workers")
                crew.wait()


def _prompts(checkpoint: Checkpoint) -> QuerySet[Pair, int]:
    """Their ids, in order."""
    assert checkpoint.answers is not None
    return checkpoint.answers.pairs.order_by("prompt").values_list("prompt", flat=True).distinct()


def _unanswered(checkpoint: Checkpoint) -> QuerySet[Pair, int]:
    answered = Response.objects.filter(generator=checkpoint.generator_id).values("prompt")
    return _prompts(checkpoint).exclude(prompt__in=answered)


def _answers(
    writer: "Writer", unanswered: QuerySet[Pair, int], chunk: AnswerChunk
) -> Iterator[list[tuple[Prompt, str]]]:
    ids = list(unanswered.filter(prompt__gte=chunk.first, prompt__lte=chunk.last))
    prompts = list(Prompt.objects.in_bulk(ids).values())
    texts = [alpaca_prompt(instruction=prompt.instruction, input=prompt.input) for prompt in prompts]
    for answers in writer.answers(texts):
        yield [(prompts[index], text) for index, text in answers]


def _save(checkpoint: Checkpoint, answers: Sequence[tuple[Prompt, str]]) -> None:
    Response.objects.bulk_create(
        (
            Response(prompt=prompt, generator=checkpoint.generator, text=text, text_hash=content_hash(text))
            for prompt, text in answers
        ),
        ignore_conflicts=True,
    )


class Writer:
    """The model, in the way that judges write. room: most new tokens of an answer."""

    def __init__(self, folder: str, *, room: int = ROOM):
        from judging.backends.beams import Rules
        from judging.backends.checkpoints import find_checkpoint
        from judging.backends.loading import dtype_named, ends_of, load_model, load_tokenizer, pad_of, the_device
        from judging.backends.readers import reader_of

        found, device = find_checkpoint(model=folder), the_device()
        self.room = room
        self.tokenizer = load_tokenizer(found)
        self.model = load_model(found, dtype=dtype_named("auto", device)).to(device).eval()
        self.positions = getattr(self.model.config.get_text_config(), "max_position_embeddings", None) or 2**31
        self.reader = reader_of(self.model, pad=pad_of(self.tokenizer))
        ends = ends_of(self.model, self.tokenizer)
        self._rules = lambda room: Rules(ends, beams=BEAMS, penalty=PENALTY, room=room)

    def write(self, texts: Sequence[str]) -> list[str]:
        """What the model writes behind each text."""
        answers = dict(answer for some in self.answers(texts) for answer in some)
        return [answers[index] for index in range(len(texts))]

    def answers(self, texts: Sequence[str]) -> Iterator[list[tuple[int, str]]]:
        """(index of the text, answer) of some at a time. A text that leaves no room for an answer gets an empty one."""
        from judging.backends import prefixes

        ids = self.tokenizer(list(texts), split_special_tokens=True).input_ids
        for batch in prefixes.by_length(ids, tokens=BATCH_TOKENS):
            room = min(self.room, self.positions - max(len(ids[index]) for index in batch))
            if room < 1:
                yield [(index, "") for index in batch]
                continue
            written = self.reader.write([ids[index] for index in batch], self._rules(room))
            yield [
                (index, storable(self.tokenizer.decode(list(row), skip_special_tokens=True).strip()))
                for index, row in zip(batch, written, strict=True)
            ]
