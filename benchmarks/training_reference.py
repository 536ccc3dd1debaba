"""transformers' Trainer over the samples of benchmarks/training.py, in the same order: python THIS FOLDER BATCH.

FOLDER holds the config.json of a training run; the steps are told in its metrics.jsonl, as the run itself tells them.
"""

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch  # noqa: E402
from torch.utils.data import SequentialSampler  # noqa: E402
from transformers import (  # noqa: E402
    AutoModelForCausalLM,
    AutoTokenizer,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from training.script.batching import batches_of  # noqa: E402
from training.script.config import RunConfig, rate_at  # noqa: E402
from training.script.journal import Journal  # noqa: E402
from training.script.texts import read_rows, tokenise  # noqa: E402


def main(place: Path, batch: int) -> None:
    config = RunConfig.read(place)
    given = config.hyperparameters
    tokenizer = AutoTokenizer.from_pretrained(config.base_model)
    samples = tokenise(
        read_rows(Path(config.snapshot)),
        purpose="judge",
        encode=lambda texts: tokenizer(list(texts), split_special_tokens=True).input_ids,
        end=[tokenizer.eos_token_id],
        max_length=given.max_length,
    )
    batches = [
        own
        for epoch in range(given.epochs)
        for own in batches_of(len(samples), epoch=epoch, seed=given.seed, size=given.global_batch)
    ]
    order = [index for own in batches for index in own]
    gpu = torch.cuda.is_available()
    journal = Journal(place, rank=0)

    class Ordered(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(order)

        def __getitem__(self, at: int) -> dict:
            ids = torch.from_numpy(samples.tokens(order[at]).astype("int64"))
            labels = ids.clone()
            labels[: samples.begins[order[at]]] = -100
            return {"input_ids": ids, "labels": labels}

    def padded(features: list[dict]) -> dict:
        pad = torch.nn.utils.rnn.pad_sequence
        ids = pad([each["input_ids"] for each in features], batch_first=True, padding_value=tokenizer.pad_token_id)
        labels = pad([each["labels"] for each in features], batch_first=True, padding_value=-100)
        return {"input_ids": ids, "labels": labels, "attention_mask": (ids != tokenizer.pad_token_id).long()}

    class InOrder(Trainer):
        def _get_train_sampler(self, train_dataset=None) -> SequentialSampler:
            return SequentialSampler(train_dataset or self.train_dataset)

    class Watch(TrainerCallback):
        def on_step_begin(self, args, state, control, **more) -> None:
            self.began = time.perf_counter()

        def on_log(self, args, state, control, logs=None, **more) -> None:
            if "loss" not in (logs or {}):
                return
            if gpu:
                torch.cuda.synchronize()
            own = batches[state.global_step - 1]
            journal.tell(
                "step",
                step=state.global_step,
                loss=logs["loss"],
                tokens=int(samples.lengths[own].sum()),
                seconds=time.perf_counter() - self.began,
                memory=torch.cuda.max_memory_allocated() if gpu else None,
            )

    steps = len(batches)
    model = AutoModelForCausalLM.from_pretrained(config.base_model, dtype=torch.float32)
    optimizer = torch.optim.AdamW(
        model.to("cuda" if gpu else "cpu").parameters(), lr=given.learning_rate, fused=gpu, weight_decay=0.0
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: rate_at(min(step + 1, steps), steps=steps, given=given) / given.learning_rate
    )
    arguments = TrainingArguments(
        output_dir=str(place / "out"),
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=given.global_batch // batch,
        num_train_epochs=1,
        max_grad_norm=given.gradient_clipping,
        bf16=gpu,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=not gpu,
        remove_unused_columns=False,
        dataloader_num_workers=0,
    )
    InOrder(
        model=model,
        args=arguments,
        train_dataset=Ordered(),
        data_collator=padded,
        optimizers=(optimizer, schedule),
        callbacks=[Watch()],
    ).train()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
