"""The five families by their real architectures: packed or padded, each sample's loss is what it is alone."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
)

from judging.backends import packed
from training.script.devices import compute_activations_anew
from training.script.learner import Learner, looking
from training.script.pieces import Material, Weights
from training.script.texts import Samples
from training.script.train import drops_attention
from training.shapes import shape_of

VOCABULARY = 300
FAMILIES = {
    "llama": lambda: LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
        )
    ),
    "bloom": lambda: BloomForCausalLM(BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4)),
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)
    ),
    "opt": lambda: OPTForCausalLM(
        OPTConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            ffn_dim=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            word_embed_proj_dim=32,
            dropout=0.0,
        )
    ),
    "gpt_neox": lambda: GPTNeoXForCausalLM(
        GPTNeoXConfig(
            vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4
        )
    ),
}


def samples() -> Samples:
    rng = random.Random(0)
    rows = [[rng.randrange(3, VOCABULARY) for _ in range(rng.randint(5, 40))] for _ in range(7)]
    begins = np.array([rng.randint(1, len(row) - 2) for row in rows])
    ids = np.array([token for row in rows for token in row], dtype=np.int32)
    return Samples(ids, np.cumsum([len(row) for row in rows]), begins, 0, 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_and_padded_pieces_give_each_samples_own_loss(family):
    torch.manual_seed(0)
    model = FAMILIES[family]().float().train()
    can_pack = packed.takes_packs(model)
    assert can_pack == (family != "bloom")
    learner = Learner(model)
    assert learner.projects_answers_alone
    own = samples()
    alone = []
    for index in range(len(own)):
        ids = torch.from_numpy(own.tokens(index).astype(np.int64))[None]
        labels = ids.clone()
        labels[:, : own.begins[index]] = -100
        answers = own.lengths_at(index) - int(own.begins[index])
        alone.append(float(model(input_ids=ids, labels=labels).loss.detach()) * answers)
    for form in [False, True] if can_pack else [False]:
        material = Material(own, Weights(), form, 0, torch.device("cpu"))
        inputs = material.inputs(list(range(len(own))))
        model.zero_grad()
        with looking(inputs):
            loss = learner(inputs)
            loss.backward()
        assert float(loss.detach()) == pytest.approx(sum(alone), rel=1e-4)
        gradient = model.get_input_embeddings().weight.grad.clone()
        if form:
            assert torch.allclose(gradient, padded, atol=1e-4)  # noqa: F821 - of the round before
        padded = gradient  # noqa: F841
        # Nothing to do is gone through all the same, and weighs nothing.
        with looking(empty := material.inputs([])):
            assert float(learner(empty).detach()) == 0


def test_a_step_is_the_weighted_mean_of_its_samples_however_it_is_cut():
    torch.manual_seed(0)
    model = FAMILIES["llama"]().float().train()
    assert packed.takes_packs(model)
    learner = Learner(model)
    weighs = np.array([0.5, 1.5, 1.0, 2.0, 0.25, 1.0, 0.75])
    token_weights = Weights(choice=3.0, lead=1)
    own = samples()
    alone = replace(own, weights=None)
    one = Material(alone, token_weights, False, 0, torch.device("cpu"))
    sums = np.array([float(learner(one.inputs([index])).detach()) for index in range(len(own))])
    by_hand = (weighs * sums).sum() / (weighs * token_weights.sums_of(own)).sum()
    for form in (False, True):
        material = Material(replace(own, weights=weighs), token_weights, form, 0, torch.device("cpu"))
        for world, tokens in ((1, 1000), (1, 60), (2, 60), (3, 40)):
            total = 0.0
            for pieces in material.cut(range(len(own)), world=world, tokens=tokens):
                for piece in pieces:
                    with looking(inputs := material.inputs(piece)):
                        total += float(learner(inputs).detach())
            assert total / material.heavy.sum() == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_shape_of_every_family_is_read(family, tmp_path: Path):
    model = FAMILIES[family]()
    model.save_pretrained(tmp_path)
    shape = shape_of(tmp_path)
    assert (shape.family, shape.layers, shape.hidden) == (family, 2, 32)
    assert shape.parameters == sum(weight.numel() for weight in model.parameters())


def test_attention_that_drops_is_never_packed():
    config = GPT2Config(vocab_size=VOCABULARY, n_embd=32, n_layer=1, n_head=2, attn_pdrop=0.1)
    model = GPT2LMHeadModel(config).float().train()
    assert drops_attention(model)
    # What is dropped elsewhere hinders nobody, and a model that learns goes on learning.
    assert packed.takes_packs(model)
    assert model.training
    learner = Learner(model)
    with (
        looking(inputs := Material(samples(), Weights(), True, 0, torch.device("cpu")).inputs([0, 1])),
        pytest.raises(NotImplementedError, match="nothing of the attention can be dropped"),
    ):
        learner(inputs)
    assert not any(drops_attention(FAMILIES[family]()) for family in FAMILIES if family != "bloom")


def test_activations_that_are_computed_anew_are_the_same():
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = FAMILIES["llama"]().float()
        assert packed.takes_packs(model)
        if checkpointing:
            compute_activations_anew(model)
        learner = Learner(model)
        model.train()
        material = Material(samples(), Weights(), True, 0, torch.device("cpu"))
        with looking(inputs := material.inputs(list(range(7)))):
            learner(inputs).backward()
        gradients.append(model.get_input_embeddings().weight.grad)
    assert torch.allclose(*gradients, atol=1e-5)
