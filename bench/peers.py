"""One measurement of one peer, as a program of its own; its last line is JSON: {"rate": ..., "peak_gb": ...}.

    python bench/peers.py sft --model DIR --data ROWS --batch 16 --precision bfloat16 --steps 3

TRL 0.24's trainers as they come, but for gradient checkpointing, which is off (it costs them time). The first step
is left out. Rates: useful tokens a second (padding does not count), episodes a second for PPO, new tokens a second for
generation.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import models
import torch


def report(rates):
    status = Path("/proc/self/status").read_text()  # getrusage would count the process that started this one
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024**2
    print(json.dumps({"rate": statistics.median(rates), "rates": rates, "peak_gb": peak}))


def tokenizer():
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = {f"t{i}": i for i in range(32000)}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(words, unk_token="t3")), pad_token="t0",
                                   eos_token="t2", padding_side="left")


def load(kind, folder, precision=torch.float32):
    import transformers

    cls = {"policy": transformers.LlamaForCausalLM, "reward": transformers.LlamaForSequenceClassification}[kind]
    return cls.from_pretrained(f"{folder}/{kind}", dtype=precision)


class StepTimes:
    """A transformers callback that times optimizer steps."""

    def __new__(cls):
        from transformers import TrainerCallback

        class Times(TrainerCallback):
            def __init__(self):
                self.seconds = []

            def on_step_begin(self, args, state, control, **kwargs):
                self.began = time.perf_counter()

            def on_step_end(self, args, state, control, **kwargs):
                self.seconds.append(time.perf_counter() - self.began)

        return Times()


def common(a, folder):
    return dict(output_dir=folder, use_cpu=True, bf16=a.precision == "bfloat16", fp16=False, report_to="none",
                save_strategy="no", logging_strategy="no", disable_tqdm=True, max_steps=a.steps + 1,
                per_device_train_batch_size=a.batch, gradient_checkpointing=False, optim="adamw_torch",
                learning_rate=1e-5)


def repeated(rows, a):
    return rows[: a.batch] * (a.steps + 1)


def train(trainer, tokens, times):
    trainer.add_callback(times)
    trainer.train()
    report([tokens / seconds for seconds in times.seconds[1:]])


def sft(a):
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    rows = models.read(a.data)[: a.batch]
    with tempfile.TemporaryDirectory() as folder:
        trainer = SFTTrainer(model=load("policy", a.model), processing_class=tokenizer(),
                             args=SFTConfig(max_length=None, **common(a, folder)),
                             train_dataset=Dataset.from_list(repeated(rows, a)))
        train(trainer, sum(len(row["input_ids"]) for row in rows), StepTimes())


def reward(a):
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    rows = models.read(a.data)[: a.batch]
    data = [{f"{side}_input_ids": row["prompt_ids"] + row[f"{side}_ids"] for side in ("chosen", "rejected")} |
            {f"{side}_attention_mask": [1] * (len(row["prompt_ids"]) + len(row[f"{side}_ids"]))
             for side in ("chosen", "rejected")} for row in rows]
    tokens = sum(len(row["chosen_input_ids"]) + len(row["rejected_input_ids"]) for row in data)
    with tempfile.TemporaryDirectory() as folder:
        trainer = RewardTrainer(model=load("reward", a.model), processing_class=tokenizer(),
                                args=RewardConfig(max_length=4096, **common(a, folder)),
                                train_dataset=Dataset.from_list(data * (a.steps + 1)))
        train(trainer, tokens, StepTimes())


def dpo(a):
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    class OfIds(DPOTrainer):
        """Rows carry ids, which need no tokenizer."""

        def _prepare_dataset(self, dataset, *_):
            return dataset

    rows = models.read(a.data)[: a.batch]
    parts = ("prompt", "chosen", "rejected")
    data = [{f"{part}_input_ids": row[f"{part}_ids"] for part in parts} for row in rows]
    tokens = sum(2 * len(row["prompt_ids"]) + len(row["chosen_ids"]) + len(row["rejected_ids"]) for row in rows)
    with tempfile.TemporaryDirectory() as folder:
        trainer = OfIds(model=load("policy", a.model), processing_class=tokenizer(),
                        args=DPOConfig(max_length=None, **common(a, folder)),
                        train_dataset=Dataset.from_list(data * (a.steps + 1)))
        train(trainer, tokens, StepTimes())


def ppo(a):
    from trl import PPOConfig, PPOTrainer

    rows = [{"input_ids": row["prompt_ids"]} for row in models.read(a.data)]
    steps = a.steps + 1
    with tempfile.TemporaryDirectory() as folder:
        config = PPOConfig(output_dir=folder, use_cpu=True, bf16=a.precision == "bfloat16", fp16=False,
                           report_to="none", save_strategy="no", num_sample_generations=0,
                           total_episodes=a.batch * steps,
                           per_device_train_batch_size=a.batch // 4, gradient_accumulation_steps=4, num_ppo_epochs=4,
                           num_mini_batches=1, response_length=64, stop_token=None, optim="adamw_torch",
                           local_rollout_forward_batch_size=a.batch, disable_tqdm=True, logging_strategy="no",
                           learning_rate=1e-5)
        data = (rows * (a.batch * steps // len(rows) + 1))[: a.batch * steps]
        trainer = PPOTrainer(args=config, processing_class=tokenizer(), model=load("policy", a.model),
                             ref_model=load("policy", a.model), reward_model=load("reward", a.model),
                             value_model=load("reward", a.model), train_dataset=data, eval_dataset=data[: a.batch])
        marks = []
        trainer.add_callback(PpoMarks(marks))
        began = time.perf_counter()
        trainer.train()
    ends = [began] + marks
    report([a.batch / (second - first) for first, second in zip(ends[1:], ends[2:])])


def PpoMarks(marks):
    from transformers import TrainerCallback

    class Marks(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            marks.append(time.perf_counter())

    return Marks()


def generate(a):
    model = load("policy", a.model, getattr(torch, a.precision)).eval()
    rows = [row["prompt_ids"] for row in models.read(a.data)[: a.batch]]
    width = max(map(len, rows))
    input_ids = torch.tensor([[models.PAD] * (width - len(row)) + row for row in rows])
    mask = (input_ids != models.PAD).long()
    rates = []
    with torch.no_grad():
        for _ in range(a.steps + 1):
            began = time.perf_counter()
            model.generate(input_ids, attention_mask=mask, do_sample=True, top_k=0, max_new_tokens=a.new,
                           min_new_tokens=a.new, pad_token_id=models.PAD)
            rates.append(a.batch * a.new / (time.perf_counter() - began))
    report(rates[1:])


def llama_cpp(a):
    import llama_cpp_decode

    report(llama_cpp_decode.rates(a.model, a.batch, a.new, a.steps))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=("sft", "reward", "dpo", "ppo", "generate", "llama_cpp"))
    parser.add_argument("--model")
    parser.add_argument("--data")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--new", type=int, default=128)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    arguments = parser.parse_args()
    torch.set_num_threads(os.cpu_count())
    globals()[arguments.task](arguments)


if __name__ == "__main__":
    main()
