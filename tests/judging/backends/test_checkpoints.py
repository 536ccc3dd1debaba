"""Folders and files that are no checkpoint of a judge: each is refused with a word on what to do."""

import json
import shutil

import pytest
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    T5Config,
    T5ForConditionalGeneration,
)

from jobs.errors import PermanentError
from judging.backends import Settings, load_backend
from judging.backends.checkpoints import find_checkpoint, identity_of
from tests.judging.backends.test_transformers_local import settings_for


def refused(folder) -> str:
    with pytest.raises(PermanentError) as caught:
        load_backend(settings_for(folder))
    return str(caught.value)


def test_a_folder_that_does_not_exist(tmp_path):
    assert "does not exist on this worker" in refused(tmp_path / "nothing")


def test_a_file_for_a_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "is a file" in refused(tmp_path / "file")


def test_an_empty_folder_says_all_that_it_lacks(tmp_path):
    said = refused(tmp_path)
    assert all(part in said for part in ("config.json", "tokenizer.json", "*.safetensors"))


def copy_of(tiny_judge, tmp_path):
    return shutil.copytree(tiny_judge, tmp_path / "copy")


@pytest.mark.parametrize(
    ("name", "words"),
    [("config.json", "config.json"), ("tokenizer.json", "tokenizer.json"), ("model.safetensors", "safetensors")],
)
def test_a_folder_that_lacks_one_file(tiny_judge, tmp_path, name, words):
    folder = copy_of(tiny_judge, tmp_path)
    (folder / name).unlink()
    assert f"it lacks {words}" in refused(folder).replace("*.", "")


def test_weights_that_are_a_pickle_are_not_read(tiny_judge, tmp_path):
    folder = copy_of(tiny_judge, tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "safetensors" in refused(folder)


def test_weights_that_were_cut_off(tiny_judge, tmp_path):
    folder = copy_of(tiny_judge, tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    assert "cannot be loaded" in refused(folder)


def copy_with(tiny_judge, tmp_path, model):
    """The tokenizer of the tiny judge with the weights and the configuration of another model."""
    folder = copy_of(tiny_judge, tmp_path)
    model.save_pretrained(folder)
    return folder


def test_a_classifier_is_not_given_a_head_at_random(tiny_judge, tmp_path):
    configuration = AutoConfig.from_pretrained(tiny_judge, tie_word_embeddings=False)
    folder = copy_with(tiny_judge, tmp_path, AutoModelForSequenceClassification.from_config(configuration))
    written = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(written | {"architectures": ["LlamaForCausalLM"]}))
    assert "lacks weights of a LlamaForCausalLM: lm_head.weight" in refused(folder)


def test_a_model_that_reads_texts_from_both_ends_is_refused(tiny_judge, tmp_path):
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    configuration = BertConfig(
        vocab_size=AutoConfig.from_pretrained(tiny_judge).vocab_size, initializer_range=0.5, **size
    )
    assert "from both ends" in refused(copy_with(tiny_judge, tmp_path, BertForMaskedLM(configuration)))


def test_an_encoder_with_a_decoder_is_refused(tiny_judge, tmp_path):
    configuration = T5Config(vocab_size=100, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    assert "cannot be loaded" in refused(copy_with(tiny_judge, tmp_path, T5ForConditionalGeneration(configuration)))


def test_weights_of_another_size_than_the_configuration_says(tiny_judge, tmp_path):
    folder = copy_of(tiny_judge, tmp_path)
    written = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(written | {"vocab_size": written["vocab_size"] + 8}))
    assert "cannot be loaded" in refused(folder)


def test_a_shard_that_is_missing_is_named(tiny_judge, tmp_path):
    folder = copy_of(tiny_judge, tmp_path)
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "model-00002-of-00002.safetensors" in refused(folder)


def test_code_that_comes_with_a_checkpoint_is_not_run(tiny_judge, tmp_path):
    folder = copy_of(tiny_judge, tmp_path)
    configuration = json.loads((folder / "config.json").read_text()) | {"auto_map": {"AutoModel": "evil.Model"}}
    (folder / "config.json").write_text(json.dumps(configuration))
    assert "never run" in refused(folder)


def test_a_configuration_that_is_no_json(tiny_judge, tmp_path):
    folder = copy_of(tiny_judge, tmp_path)
    (folder / "config.json").write_text("{")
    assert "no JSON" in refused(folder)


def test_a_tokenizer_that_is_broken(tiny_judge, tmp_path):
    folder = copy_of(tiny_judge, tmp_path)
    (folder / "tokenizer.json").write_text("{}")
    assert "tokenizer" in refused(folder)


def test_a_hub_id_that_is_not_in_the_cache_says_so_without_asking_the_network(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert find_checkpoint(model="nobody/none").options["local_files_only"] is True
    assert "nobody/none" in refused("nobody/none")


def test_a_template_for_chat_is_refused(tiny_judge):
    with pytest.raises(PermanentError, match="pandalm@1"):
        load_backend(Settings("transformers", str(tiny_judge), "", "json@1", {}))


def test_the_identity_changes_with_the_weights(tiny_judge, tmp_path):
    folder = copy_of(tiny_judge, tmp_path)
    before = identity_of(folder)
    assert before == identity_of(tiny_judge)
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert identity_of(folder) != before
