"""Prompts that are read together are each read as if alone, with every kind of position that a model may count by.

The five base models of the PandaLM paper and some later ones, tiny and untrained.
"""

import random

import pytest
import torch
import transformers

from judging.backends.beams import Rules
from judging.backends.readers import Packed, Padded, reader_of

WORDS = 97
COMMON = {"vocab_size": WORDS, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None}
WIDTHS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128}
CONFIGURATIONS = {
    "llama": lambda: transformers.LlamaConfig(intermediate_size=64, **WIDTHS, **COMMON),
    "bloom": lambda: transformers.BloomConfig(hidden_size=32, n_layer=2, n_head=4, **COMMON),
    "cerebras-gpt": lambda: transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=128, **COMMON),
    "opt": lambda: transformers.OPTConfig(ffn_dim=64, word_embed_proj_dim=32, **WIDTHS, **COMMON),
    "pythia": lambda: transformers.GPTNeoXConfig(intermediate_size=64, **WIDTHS, **COMMON),
    "qwen": lambda: transformers.Qwen2Config(intermediate_size=64, num_key_value_heads=2, **WIDTHS, **COMMON),
    "mistral, looking back 16 tokens": lambda: transformers.MistralConfig(
        intermediate_size=64, num_key_value_heads=2, sliding_window=16, **WIDTHS, **COMMON
    ),
}


def untrained(configuration: transformers.PretrainedConfig) -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(configuration).eval()
    with torch.no_grad():
        for weights in model.parameters():
            # Nearly equal logits, as fresh weights give, would hide a mistake.
            weights.mul_(8 if weights.dim() > 1 else 1)
    return model


@pytest.fixture(params=CONFIGURATIONS)
def model(request):
    return untrained(CONFIGURATIONS[request.param]())


def prompts_that_share(n: int, *, seed: int = 1) -> list[list[int]]:
    """Some share a long beginning, some a short one or none; two are the same."""
    rng = random.Random(seed)
    beginning = [rng.randrange(2, WORDS) for _ in range(30)]
    prompts = [
        beginning[: rng.choice([0, 5, 12, 20, 30])] + [rng.randrange(2, WORDS) for _ in range(rng.randint(1, 30))]
        for _ in range(n - 1)
    ]
    return [*prompts, list(prompts[0])]


def alone(model, prompt: list[int]) -> torch.Tensor:
    """By another way: transformers alone, one prompt."""
    with torch.inference_mode():
        return model(input_ids=torch.tensor([prompt])).logits[0, -1]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_which_models_take_packs(name):
    not_these = {"bloom", "mistral, looking back 16 tokens"}
    assert reader_of(untrained(CONFIGURATIONS[name]()), pad=0).name == ("padded" if name in not_these else "packed")


@pytest.mark.parametrize("kind", [Packed, Padded])
def test_together_each_prompt_has_the_logits_that_it_has_alone(model, kind):
    reader = reader_of(model, pad=0)
    if kind is Padded:
        reader = Padded(model, pad=0)
    elif not isinstance(reader, Packed):
        pytest.skip("read padded")
    prompts = prompts_that_share(13)
    expected = [alone(model, prompt) for prompt in prompts]
    for tokens in (10_000, 90, 1):
        batches = list(reader.batches(prompts, tokens=tokens))
        assert sorted(index for batch in batches for index in batch) == list(range(13))
        for batch in batches:
            found = reader.last_logits([prompts[index] for index in batch])
            for index, logits in zip(batch, found, strict=True):
                assert torch.allclose(logits, expected[index], atol=1e-4)


@pytest.mark.parametrize(("beams", "penalty"), [(1, 1.0), (4, 1.2), (3, 1.0)])
def test_what_is_written_together_is_what_transformers_writes_to_each_alone(model, beams, penalty):
    # Many tokens end an answer, so that some end soon and others late.
    ends = tuple(range(1, WORDS, 9))
    rules = Rules(ends=ends, beams=beams, penalty=penalty, room=24)
    prompts = prompts_that_share(7, seed=3)
    found = reader_of(model, pad=0).write(prompts, rules)
    assert len({tuple(answer) for answer in found}) > 1
    how = transformers.GenerationConfig(
        num_beams=beams, early_stopping=beams > 1, repetition_penalty=penalty, do_sample=False, max_new_tokens=24,
        eos_token_id=list(ends), pad_token_id=0,
    )  # fmt: skip
    for prompt, answer in zip(prompts, found, strict=True):
        ids = torch.tensor([prompt])
        said = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=how)
        said = said[0, len(prompt) :].tolist()
        end = next((place for place, token in enumerate(said) if token in ends), len(said))
        assert answer == said[:end]


def test_an_answer_is_given_up_where_it_is_settled():
    reader = reader_of(untrained(CONFIGURATIONS["llama"]()), pad=0)
    rules = Rules(ends=(1,), room=20)
    prompts = prompts_that_share(6)
    whole = reader.write(prompts, rules)
    asked = []

    def settled(beams):
        asked.append(beams)
        return all(len(said) >= 3 for said, _ in beams)

    short = reader.write(prompts, rules, settled)
    assert all(len(beams) >= 4 for beams in asked)
    assert {len(answer) for answer in short} == {3}
    assert len(whole) == len(short)
