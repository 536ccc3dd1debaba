"""Trains the demo's judge and saves it as a checkpoint. Imports torch: run it as a child process.

    python -m training.tiny_judge_train --output DIR [--steps N] [--seed N]

It reads from top to bottom: a tokenizer, a model, the training, the examination, the files. The data are made up by
training.tiny_judge_data; what the model can and cannot do is measured and written into its card.
"""

import argparse
import os
import random
import shutil
import sys
import time
from collections import defaultdict
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.nn import functional
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from judging.prompts.built_in import PANDALM_ORDER, PANDALM_TASK, PANDALM_WORDS, pandalm_prompt, pandalm_target
from training.tiny_judge_data import Example, example

BOS, EOS, PAD = "<s>", "</s>", "[PAD]"
# Lines that stand in every prompt are one token each: a short prompt is what makes the training so quick.
FIXED_LINES = [
    f"{PANDALM_TASK}{PANDALM_ORDER}",
    f"{PANDALM_TASK} with an Input that provides further context{PANDALM_ORDER}",
    *(f"### {part}:\n" for part in ("Instruction", "Input", "Response 1", "Response 2", "Evaluation")),
    "### Reason:",
    "### Reference:",
    "\n\n",
]
VOCABULARY = 1024
BATCH = 32
LEARNING_RATE = 3e-3
# The first token of an answer decides; it weighs as much as all the others together.
CHOICE_WEIGHT, OTHER_WEIGHT = 5.0, 0.25
IGNORED = 0.0
CONTEXT = 4096


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def target_of(made: Example) -> str:
    return pandalm_target(choice=made.choice, reason=made.reason, reference=made.reference)


def make_tokenizer(rng: random.Random) -> PreTrainedTokenizerFast:
    """Byte-level BPE, so that no text is unknown, trained on made-up pairs."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    texts = (text for made in (example(rng) for _ in range(2000)) for text in (*made_texts(made), target_of(made)))
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(FIXED_LINES),
        special_tokens=[BOS, EOS, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    core.add_tokens([AddedToken(line, normalized=False) for line in FIXED_LINES])
    core.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, core.token_to_id(BOS))]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token=BOS, eos_token=EOS, pad_token=PAD, model_max_length=CONTEXT
    )
    tokenizer.chat_template = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
    return tokenizer


def made_texts(made: Example) -> tuple[str, str, str]:
    return made.asked.instruction, made.asked.first, made.asked.second


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=344,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def make_batch(tokenizer: PreTrainedTokenizerFast, made: list[Example]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and the weight of each as a target, both (len(made), longest), padded at the right."""
    prompts = tokenizer([pandalm_prompt(one.asked) for one in made]).input_ids
    targets = tokenizer([target_of(one) + EOS for one in made], add_special_tokens=False).input_ids
    longest = max(len(p) + len(t) for p, t in zip(prompts, targets, strict=True))
    ids = torch.full((len(made), longest), tokenizer.pad_token_id)
    weights = torch.full((len(made), longest), IGNORED)
    for row, (prompt, target) in enumerate(zip(prompts, targets, strict=True)):
        start, end = len(prompt), len(prompt) + len(target)
        ids[row, :end] = torch.tensor(prompt + target)
        weights[row, start] = CHOICE_WEIGHT
        weights[row, start + 1 : end] = OTHER_WEIGHT
    return ids, weights


def train(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, rng: random.Random, steps: int) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.15)
    model.train()
    for step in range(1, steps + 1):
        ids, weights = make_batch(tokenizer, [example(rng) for _ in range(BATCH)])
        wanted = weights[:, 1:] > 0
        # Only the answers' positions go through the head.
        logits = model.lm_head(model.model(ids[:, :-1]).last_hidden_state[wanted])
        losses = functional.cross_entropy(logits, ids[:, 1:][wanted], reduction="none")
        weight = weights[:, 1:][wanted]
        ((losses * weight).sum() / weight.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % 10 == 0 or step == steps:
            say(f"step {step} of {steps}: loss of the choice {losses[weight == CHOICE_WEIGHT].mean():.3f}")


@torch.no_grad()
def examine(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, made: list[Example]) -> dict[str, list[bool]]:
    """Whether the likeliest of 1, 2 and Tie is right, by the kinds of the two responses."""
    model.eval()
    firsts = [tokenizer(PANDALM_WORDS[choice], add_special_tokens=False).input_ids[0] for choice in (0, 1, 2)]
    right: dict[str, list[bool]] = defaultdict(list)
    for one in made:
        ids = torch.tensor([tokenizer(pandalm_prompt(one.asked)).input_ids])
        choice = int(model(ids).logits[0, -1, firsts].argmax())
        right[" against ".join(sorted(one.kinds))].append(choice == one.choice)
    return right


def card(*, right: dict[str, list[bool]], seed: int, steps: int, parameters: int, seconds: float) -> str:
    answers = [one for some in right.values() for one in some]
    rows = "\n".join(
        f"| {kinds} | {len(some)} | {sum(some) / len(some):.2f} |"
        for kinds, some in sorted(right.items(), key=lambda item: -len(item[1]))
    )
    return f"""---
library_name: transformers
pipeline_tag: text-generation
license: apache-2.0
---
# Tiny judge

A LLaMA-architecture model of {parameters:,} parameters, trained from random weights in {seconds:.0f} seconds by
Tiebreak's `manage.py make_tiny_judge` (seed {seed}, {steps} steps of {BATCH} made-up pairs). It exists to show and test
every step that a real judge goes through: it reads PandaLM's prompt and writes a result, a reason and a reference.

**It is no judge of language.** It learnt one thing from short made-up tasks: a response that answers is better than
one that breaks off, one that is garbled or repeats one word, and one that is empty, in this order; equals tie.
On other text its verdicts mean nothing, and its references are mere examples of the form.

On {len(answers)} made-up pairs that it had not seen, its choice was right in {sum(answers) / len(answers):.1%}:

| responses | pairs | right |
| --- | --- | --- |
{rows}
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description="Train the demo's judge.")
    arguments.add_argument("--output", type=Path, required=True)
    arguments.add_argument("--steps", type=int, default=100)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    started = time.monotonic()
    torch.manual_seed(options.seed)
    rng = random.Random(options.seed)  # noqa: S311 - no secret is made of it
    say("Training a tokenizer and a small model on made-up pairs.")
    tokenizer = make_tokenizer(rng)
    model = make_model(tokenizer)
    train(model, tokenizer, rng, options.steps)
    unseen = random.Random(options.seed + 1)  # noqa: S311
    right = examine(model, tokenizer, [example(unseen) for _ in range(300)])
    seconds = time.monotonic() - started

    # A checkpoint is there whole or not at all.
    partial = options.output.with_name(f"{options.output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=96,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    text = card(right=right, seed=options.seed, steps=options.steps, parameters=parameters, seconds=seconds)
    (partial / "README.md").write_text(text)
    for file in partial.iterdir():
        file.chmod(0o644)  # The weights come out readable by their owner alone, and workers may be another user.
    os.rename(partial, options.output)
    answers = [one for some in right.values() for one in some]
    say(f"{options.output}: right on {sum(answers) / len(answers):.1%} of {len(answers)} unseen made-up pairs.")


if __name__ == "__main__":
    main()
