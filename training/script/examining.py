"""What a judge in training says about pairs that people judged, and how well a text that it never saw suits it. Torch.

The pairs are asked about in the way that judge runs ask (judging.backends): one forward pass, the likeliest of 1, 2
and tie. What the answers are worth is reckoned by the supervisor, with the numbers of the leaderboard.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from judging.backends.readers import Reader, reader_of
from judging.backends.spellings import Spellings
from training.script.config import RunConfig
from training.script.learner import Learner, looking
from training.script.pieces import Material
from training.script.texts import judge_prompt, read_rows

SHOWN = 3
WRITTEN_TOKENS = 120


@dataclass(frozen=True)
class Question:
    pair: int
    swapped: bool
    ids: list[int]


class Examiner:
    """Every process takes its share, and all go through the model equally often."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        spellings: Spellings,
        config: RunConfig,
        *,
        pad: int,
        rank: int,
        world: int,
    ):
        self.model, self.tokenizer, self.spellings, self.config = model, tokenizer, spellings, config
        self.rank, self.world, self.pad = rank, world, pad
        self.reader: Reader = reader_of(model, pad=pad)
        self.questions = {each.dataset: self._read(Path(each.path)) for each in config.examinations}

    def _read(self, path: Path) -> list[Question]:
        rows = list(read_rows(path))
        limit = self.config.hyperparameters.max_length - 1 - len(self.spellings.lead)
        encoded = self.tokenizer([judge_prompt(row) for row in rows], split_special_tokens=True).input_ids
        return [
            Question(int(row["pair"]), bool(row["swapped"]), ids)  # type: ignore[call-overload]
            for row, ids in zip(rows, encoded, strict=True)
            if len(ids) <= limit
        ]

    def examine(self, dataset: str) -> list[dict[str, object]]:
        """For each question {pair, swapped, p: [tie, first shown, second shown]}, in rank 0; elsewhere none."""
        questions = self.questions[dataset]
        mine = questions[self.rank :: self.world]
        asked = [[*each.ids, *self.spellings.lead] for each in mine]
        batches = list(self.reader.batches(asked, tokens=self.config.hyperparameters.piece_tokens))
        most = torch.tensor([len(batches)])
        dist.all_reduce(most, op=dist.ReduceOp.MAX)
        said: list[dict[str, object]] = []
        was_training = self.model.training
        self.model.eval()
        for number in range(int(most)):
            # Whoever has no more goes through the model all the same: its weights may be spread over the processes.
            batch = batches[number] if number < len(batches) else []
            shares = self._shares([asked[index] for index in batch] or [questions[0].ids])
            for index, share in zip(batch, shares, strict=False):
                said.append({"pair": mine[index].pair, "swapped": mine[index].swapped, "p": share})
        self.model.train(was_training)
        gathered: list[list[dict[str, object]]] = [[] for _ in range(self.world)]
        dist.all_gather_object(gathered, said)
        return [answer for part in gathered for answer in part] if self.rank == 0 else []

    @torch.inference_mode()
    def _shares(self, prompts: Sequence[Sequence[int]]) -> list[list[float]]:
        logs = torch.log_softmax(self.reader.last_logits([tuple(each) for each in prompts]).float(), dim=-1)
        sums = torch.stack([logs[:, list(tokens)].logsumexp(dim=-1) for tokens in self.spellings.firsts], dim=1)
        return [[round(share, 6) for share in row] for row in torch.softmax(sums, dim=1).tolist()]

    def write_some(self, dataset: str) -> list[dict[str, object]]:
        """The whole answers to the first few questions, by the likeliest token each time."""
        questions = self.questions[dataset][:SHOWN]
        was_training = self.model.training
        self.model.eval()
        written = []
        for question in questions:
            ids = torch.tensor([question.ids], device=self.model.device)
            with torch.inference_mode():
                answer = self.model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=WRITTEN_TOKENS,
                    do_sample=False,
                    pad_token_id=self.pad,
                    eos_token_id=self.tokenizer.eos_token_id,
                )[0, ids.shape[1] :]
            text = self.tokenizer.decode(answer, skip_special_tokens=True)
            written.append({"pair": question.pair, "swapped": question.swapped, "text": text})
        self.model.train(was_training)
        return written


@torch.inference_mode()
def held_out_loss(learner: Learner, material: Material, *, tokens: int, rank: int, world: int) -> float:
    """Mean cross entropy of an answer's token, weighted as in training. The same in all processes."""
    total = torch.zeros(1, dtype=torch.float64)
    was_training = learner.training
    learner.eval()
    for pieces in material.cut(range(len(material.samples)), world=world, tokens=tokens):
        inputs = material.inputs(pieces[rank])
        with looking(inputs):
            total += learner(inputs).double().cpu()
    learner.train(was_training)
    dist.all_reduce(total)
    return float(total) / float(material.heavy.sum())
