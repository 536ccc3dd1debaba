"""A candidate's answers to the prompts of a dataset, as responses of its generator. Imports torch when it works.

As PandaLM's candidates were asked: Alpaca's prompt, four beams, a penalty on repetition. Prompts of like length are
written to together. What is answered is saved as it comes and not asked again.
"""

from collections.abc import Iterator, Sequence

from annotation.models import Dataset, Prompt, Response, content_hash
from jobs.errors import PermanentError
from jobs.leases import own_gpu
from jobs.running import Running
from judging.runs.questions import storable
from training.alpaca import alpaca_prompt
from training.models import Checkpoint
from training.sharing import fetch_weights

BEAMS, PENALTY, ROOM = 4, 1.2, 512
# Prompt tokens that are written to at once; beams make it four times as many rows.
BATCH_TOKENS = 4096
# What a model is read into memory for at one time.
CHUNK = 256


def generate(running: Running) -> None:
    checkpoint = Checkpoint.objects.select_related("run", "generator", "answers").get(pk=running.subject_id)
    assert checkpoint.generator is not None
    if checkpoint.answers is None:
        raise PermanentError("The dataset whose prompts were to be answered was removed.")
    missing = list(_unanswered(checkpoint.answers, checkpoint.generator_id))
    total = len(missing)
    running.progress(0, total, "Loading the model")
    if not missing:
        return
    with own_gpu(running):
        writer = Writer(str(fetch_weights(checkpoint)))
        done = 0
        for start in range(0, total, CHUNK):
            prompts = list(Prompt.objects.in_bulk(missing[start : start + CHUNK]).values())
            texts = [alpaca_prompt(instruction=prompt.instruction, input=prompt.input) for prompt in prompts]
            for answers in writer.answers(texts):
                with running.writing():
                    Response.objects.bulk_create(
                        (
                            Response(
                                prompt=prompts[index],
                                generator=checkpoint.generator,
                                text=text,
                                text_hash=content_hash(text),
                            )
                            for index, text in answers
                        ),
                        ignore_conflicts=True,
                    )
                done += len(answers)
                running.progress(done, total, "Answering")


def _unanswered(dataset: Dataset, generator_id: int | None) -> Iterator[int]:
    answered = Response.objects.filter(generator=generator_id).values("prompt")
    prompts = dataset.pairs.exclude(prompt__in=answered).order_by("prompt").values_list("prompt", flat=True)
    yield from prompts.distinct().iterator()


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
