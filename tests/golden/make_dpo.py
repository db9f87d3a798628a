"""Direct preference optimisation by TRL 0.24 itself, in float64: the losses with their gradients, and ten steps
of its DPOTrainer.

Losses: DPOTrainer.dpo_loss is called unbound on a stub that holds its settings. Training: the DPOTrainer as it
is, on a tiny Llama in float64, but for two things: rows come in their order instead of a shuffled one, and what
compute_loss returns is written down before the Trainer rounds it. Rows are texts to TRL (`t07 t30`), so that its
own tokenize_row adds the end of a text; here they are written as ids, that end included.

Each step is one batch of four pairs: loss, gradients times min(1, 1 / (norm + 1e-6)), AdamW (0.9, 0.999, 1e-8)
with transformers' decay 0.1 (matrices and embeddings; no norms), constant learning rate.

Writes losses/dpo, dpo/{policy, reference} (folders in float32, to be read as float64), dpo/pairs and for each
of RUNS dpo/<name>; dpo/settings.json.

    python tests/golden/make_dpo.py
"""

import copy
import tempfile
from types import SimpleNamespace

import golden_files as golden
import torch
from datasets import Dataset
from make_losses import normal, with_gradients
from make_ppo import tiny_llama
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from torch.utils.data import SequentialSampler
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_config import FDivergenceType

VOCABULARY, EOS, STEPS, PAIRS = 60, 2, 10, 4
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 0.1
RUNS = {  # file name: DPOConfig's settings; other_reference: the reference is not the start
    "sigmoid": {"beta": 0.3},
    "sigmoid_other_reference": {"beta": 0.1, "other_reference": True},
    "conservative_with_sft": {"beta": 0.5, "label_smoothing": 0.2, "rpo_alpha": 0.7},
    "ipo": {"beta": 0.2, "loss_type": "ipo"},
    "hinge": {"beta": 0.4, "loss_type": "hinge"},
}


# ----------------------------------------------------------------------------------------------------- losses


def trl_losses(beta, loss_type, label_smoothing=0.0):
    """(policy better, policy worse, reference better, reference worse) -> DPOTrainer.dpo_loss's three tensors."""
    stub = SimpleNamespace(
        accelerator=SimpleNamespace(device=torch.device("cpu")),
        reference_free=False,
        f_divergence_type=FDivergenceType.REVERSE_KL,
        beta=beta,
        label_smoothing=label_smoothing,
    )
    return lambda *logps: DPOTrainer.dpo_loss(stub, *logps, loss_type=loss_type)


def write_losses():
    count = 9
    better, worse = -normal(501, count, scale=6).abs() - 3, -normal(502, count, scale=6).abs() - 3
    better_reference, worse_reference = better + normal(503, count, scale=3), worse + normal(504, count, scale=3)
    weight = normal(505, count).abs()
    tensors = {
        "better": better,
        "worse": worse,
        "better_reference": better_reference,
        "worse_reference": worse_reference,
        "weight": weight,
    }
    for name, settings in {
        "sigmoid": {"beta": 0.3, "loss_type": "sigmoid"},
        "conservative": {"beta": 0.5, "loss_type": "sigmoid", "label_smoothing": 0.2},
        "ipo": {"beta": 0.2, "loss_type": "ipo"},
        "hinge": {"beta": 0.4, "loss_type": "hinge"},
    }.items():
        losses = trl_losses(**settings)
        value, (of_better, of_worse) = with_gradients(
            lambda b, w: (weight * losses(b, w, better_reference, worse_reference)[0]).sum(), better, worse
        )
        _, better_reward, worse_reward = losses(better, worse, better_reference, worse_reference)
        tensors |= {
            f"{name}_beta": settings["beta"],
            f"{name}_loss": value,
            f"{name}_grad_better": of_better,
            f"{name}_grad_worse": of_worse,
            f"{name}_better_reward": better_reward,
            f"{name}_worse_reward": worse_reward,
        }
        assert 0 < of_better.count_nonzero() and (name != "hinge" or of_better.count_nonzero() < count)
    golden.save(
        golden.GOLDEN / "losses" / "dpo",
        tensors | {"label_smoothing": 0.2},
        "(9) log-probabilities of pairs under policy and reference; <name>_loss: sum of weight times "
        "DPOTrainer.dpo_loss's element, with its gradients in the policy's log-probabilities; *_reward: the "
        "rewards that it returns; conservative: sigmoid with label_smoothing",
    )


# --------------------------------------------------------------------------------------------------- training


def tokenizer():
    """Words of one width, so that none begins with the padding or the end, which are looked for inside of words."""
    words = Tokenizer(WordLevel({word(i): i for i in range(VOCABULARY)}, unk_token=word(3)))
    words.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token=word(0), eos_token=word(EOS))


def word(index):
    return f"t{index:02}"


def make_pairs():
    """STEPS x PAIRS rows of (prompt, chosen, rejected) ids, the end of a text not yet there."""
    generator = torch.Generator().manual_seed(511)
    lengths = ((3, 5, 2), (1, 4, 8), (6, 1, 3), (4, 7, 7))
    rows = [golden.random_ids(generator, VOCABULARY, row, low=3) for _ in range(STEPS) for row in lengths]
    return [[part.tolist() for part in row] for row in rows]


class Recorded(DPOTrainer):
    """The trainer with its rows in order, and what it computed of each batch."""

    def _get_train_sampler(self, *_, **__):
        return SequentialSampler(self.train_dataset)

    def compute_loss(self, *arguments, **options):
        loss, metrics = super().compute_loss(*arguments, **{**options, "return_outputs": True})
        self.seen.append({"loss": loss.item(), **metrics})
        return loss


def train(start, reference, pairs, **settings):
    """The trained copy of `start`, and what each step logged."""
    settings.pop("other_reference", None)
    text = lambda ids: " ".join(map(word, ids))
    rows = [dict(zip(("prompt", "chosen", "rejected"), map(text, row))) for row in pairs]
    model = copy.deepcopy(start).double()
    with tempfile.TemporaryDirectory() as folder:
        config = DPOConfig(
            output_dir=folder,
            use_cpu=True,
            bf16=False,
            fp16=False,
            gradient_checkpointing=False,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            per_device_train_batch_size=PAIRS,
            max_steps=STEPS,
            learning_rate=LEARNING_RATE,
            weight_decay=WEIGHT_DECAY,
            lr_scheduler_type="constant",
            optim="adamw_torch",
            max_grad_norm=1.0,
            logging_steps=1,
            **settings,
        )
        trainer = Recorded(
            model=model,
            ref_model=copy.deepcopy(reference).double(),
            args=config,
            processing_class=tokenizer(),
            train_dataset=Dataset.from_list(rows),
        )
        trainer.seen = []
        assert list(trainer.train_dataset["prompt_input_ids"]) == [prompt for prompt, _, _ in pairs]
        assert list(trainer.train_dataset["rejected_input_ids"]) == [rejected + [EOS] for _, _, rejected in pairs]
        trainer.train()
    assert len(trainer.seen) == STEPS and all(parameter.dtype == torch.float64 for parameter in model.parameters())
    norms = [entry["grad_norm"] for entry in trainer.state.log_history if "grad_norm" in entry]
    return model, [seen | {"grad_norm": norm} for seen, norm in zip(trainer.seen, norms, strict=True)]


LOGGED = {  # ours: TRL's
    "loss": "loss",
    "grad_norm": "grad_norm",
    "accuracy": "rewards/accuracies",
    "margin": "rewards/margins",
    "chosen_reward": "rewards/chosen",
    "rejected_reward": "rewards/rejected",
    "chosen_logp": "logps/chosen",
    "rejected_logp": "logps/rejected",
    "sft_loss": "nll_loss",
}


def write_pairs(pairs):
    ended = [(prompt, chosen + [EOS], rejected + [EOS]) for prompt, chosen, rejected in pairs]
    tensors = {}
    for step in range(STEPS):
        for part, rows in zip(("prompt", "chosen", "rejected"), zip(*ended[step * PAIRS : (step + 1) * PAIRS])):
            name = f"step_{step}_{part}_"
            tensors[name + "tokens"], tensors[name + "offsets"] = golden.pack([torch.tensor(row) for row in rows])
    golden.save(
        golden.GOLDEN / "dpo" / "pairs",
        tensors,
        "step_s_{prompt,chosen,rejected}_{tokens,offsets}: four pairs a step; completions with their end (2)",
    )


def write_training():
    folder = golden.GOLDEN / "dpo"
    start, other = tiny_llama(LlamaForCausalLM, 521), tiny_llama(LlamaForCausalLM, 522)
    golden.save_model(folder / "policy", start)
    golden.save_model(folder / "reference", other)
    pairs = make_pairs()
    write_pairs(pairs)
    for name, settings in RUNS.items():
        model, log = train(start, other if "other_reference" in settings else start, pairs, **settings)
        print(name, [round(entry["loss"], 4) for entry in log], [round(entry["grad_norm"], 2) for entry in log])
        tensors = {f"model.{key}": value for key, value in model.named_parameters()}
        for ours, theirs in LOGGED.items():
            if theirs in log[0]:
                values = [float(entry[theirs]) for entry in log]
                tensors[f"log.{ours}"] = torch.tensor(values, dtype=torch.float64)
        golden.save(
            folder / name,
            tensors,
            "log.*: what TRL's DPOTrainer computed in each of ten steps, before its update (grad_norm: before "
            "clipping to 1); model.*: weights after the tenth, float64",
        )
    common = {"learning_rate": LEARNING_RATE, "weight_decay": WEIGHT_DECAY, "max_grad_norm": 1.0}
    golden.save_json(folder / "settings", {name: common | settings for name, settings in RUNS.items()})


if __name__ == "__main__":
    golden.check_versions()
    golden.use_true_float64()
    write_losses()
    write_training()
