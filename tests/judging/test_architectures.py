"""A padded batch gives each prompt's own probabilities, with every kind of position that a model may count by.

The five base models of the PandaLM paper and some later ones, tiny and untrained.
"""

import random
from types import SimpleNamespace

import pytest
import torch
import transformers

from judging.backends.base import Question
from judging.backends.spellings import Spellings
from judging.backends.transformers_local import LocalCheckpoint

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


class Untrained(LocalCheckpoint):
    """The backend around a model that has no files and no tokenizer."""

    def __init__(self, configuration: transformers.PretrainedConfig):
        torch.manual_seed(0)
        self.model = transformers.AutoModelForCausalLM.from_config(configuration).eval()
        with torch.no_grad():
            for weights in self.model.parameters():
                # Nearly equal shares, as fresh weights give, would hide a mistake.
                weights.mul_(8 if weights.dim() > 1 else 1)
        self.tokenizer = SimpleNamespace(pad_token_id=None, eos_token_id=1)
        self.device = torch.device("cpu")
        self.spellings = Spellings((), ((5, 6), (7,), (8, 9)), ((5,), (7,), (8,)))
        self.counts_positions = self.takes_positions()


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_padding_changes_nothing(name):
    backend, rng = Untrained(CONFIGURATIONS[name]()), random.Random(1)
    prompts = [
        (Question(n, False, "", "", "", ""), [rng.randrange(2, WORDS) for _ in range(rng.randint(3, 60))])
        for n in range(9)
    ]
    together = backend._decide(prompts)
    alone = [answer for prompt in prompts for answer in backend._decide([prompt])]
    assert max(one.p_first for one in alone) - min(one.p_first for one in alone) > 0.05
    for one, other in zip(alone, together, strict=True):
        assert (other.p_first, other.p_second, other.p_tie) == pytest.approx(
            (one.p_first, one.p_second, one.p_tie), abs=1e-5
        )
