"""trl_ppo.py against TRL 0.24's real PPOTrainer: equal weights after one update on the same rollouts, in
float64.
"""

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import golden_files as golden
import trl_ppo
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
)
from trl import PPOConfig, PPOTrainer
from trl.trainer import ppo_trainer
from trl.trainer import utils as trl_utils

VOCABULARY, PAD, EOS, WIDTH = 29, 0, 2, 9
torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def true_float64():
    golden.use_true_float64()


def tiny(cls, seed, **changes):
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        pad_token_id=PAD,
        bos_token_id=1,
        eos_token_id=EOS,
        tie_word_embeddings=False,
        **changes,
    )
    return golden.seed_weights(cls(config), seed).double()


def tokenizer():
    words = {f"t{i}": i for i in range(VOCABULARY)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(words, unk_token="t3")),
        pad_token="t0",
        eos_token="t2",
        padding_side="left",
    )


def fixed_responses(rows, seed):
    """(rows, WIDTH) as generation returns them: some end in EOS early, one exactly at the end, some are "
    "cut."""
    generator = torch.Generator().manual_seed(seed)
    responses = torch.randint(3, VOCABULARY, (rows, WIDTH), generator=generator)
    for row, length in enumerate([1, WIDTH, 4, WIDTH + 1, WIDTH - 1, 6, WIDTH + 1, 2][:rows]):
        if length <= WIDTH:
            responses[row, length - 1] = EOS
            responses[row, length:] = PAD
    return responses


class Run:
    """One PPOTrainer.train() of one update, with its rollouts, permutations, weights before and after."""

    def __init__(self, tmp_path, monkeypatch, sampled=False, batches=1, **options):
        torch.manual_seed(3)
        np.random.seed(5)
        self.policy, self.value = (
            tiny(LlamaForCausalLM, 11),
            tiny(LlamaForSequenceClassification, 12, num_labels=1),
        )
        self.reference = tiny(LlamaForCausalLM, 13)
        self.reward = tiny(LlamaForSequenceClassification, 14, num_labels=1)
        self.start = copy.deepcopy((self.policy, self.value))
        rows = options["per_device_train_batch_size"] * options.get("gradient_accumulation_steps", 1)
        self.watch(monkeypatch, sampled, rows)
        lengths = [3, 5, 4, 5, 2, 5, 1, 4] * batches
        queries = golden.random_ids(
            torch.Generator().manual_seed(9), VOCABULARY, lengths[: rows * batches], low=3
        )
        config = PPOConfig(
            output_dir=str(tmp_path),
            report_to="none",
            use_cpu=True,
            bf16=False,
            fp16=False,
            save_strategy="no",
            num_sample_generations=0,
            total_episodes=rows,
            response_length=WIDTH,
            stop_token="eos",
            lr_scheduler_type="constant",
            optim="adamw_torch",
            seed=1,
            disable_tqdm=True,
            local_rollout_forward_batch_size=3,
            **options,
        )
        data = [{"input_ids": query.tolist()} for query in queries]
        PPOTrainer(
            args=config,
            processing_class=tokenizer(),
            model=self.policy,
            ref_model=self.reference,
            reward_model=self.reward,
            value_model=self.value,
            train_dataset=data,
            eval_dataset=data,
        ).train()

    def watch(self, monkeypatch, sampled, rows):
        self.permutations = []
        shuffle, sample = np.random.permutation, trl_utils.batch_generation

        def permutation(count):
            self.permutations.append(torch.from_numpy(shuffle(count)))
            return self.permutations[-1].numpy()

        def generation(model, queries, batch, pad, generation_config):
            """TRL's own sampling; or fixed responses with the full forward's logits, which keeps float64."""
            if sampled:
                self.sequences, self.logits = sample(model, queries, batch, pad, generation_config)
            else:
                self.sequences = torch.cat((queries, fixed_responses(rows, seed=21)), 1)
                logits = trl_utils.forward(model, self.sequences, pad).logits[:, queries.shape[1] - 1 : -1]
                self.logits = logits / generation_config.temperature
            self.queries = queries
            return self.sequences, self.logits

        monkeypatch.setattr(np.random, "permutation", permutation)
        monkeypatch.setattr(ppo_trainer, "batch_generation", generation)

    def rollouts(self, keep_sampler_logps=False):
        width = self.queries.shape[1]
        responses = trl_utils.truncate_response(EOS, PAD, self.sequences[:, width:])
        sequences = torch.cat((self.queries, responses), 1)
        scores = trl_utils.get_reward(self.reward, sequences, PAD, width)[1].detach()
        old = (
            trl_utils.selective_log_softmax(self.logits, self.sequences[:, width:])
            if keep_sampler_logps
            else None
        )
        return trl_ppo.Rollouts(self.queries, responses, scores, EOS, PAD, old)


def restated(run, settings, keep_sampler_logps=False, **options):
    """The same update by trl_ppo from the same start; returns (policy, value model, log)."""
    policy, value = copy.deepcopy(run.start)
    rollouts = run.rollouts(keep_sampler_logps)
    experience = trl_ppo.make_experience(policy, run.reference, value, rollouts, settings)
    optimizer = trl_ppo.make_optimizer(policy, value, settings)
    log = trl_ppo.ppo_update(
        policy, value, experience, torch.stack(run.permutations), optimizer, settings, **options
    )
    return policy, value, log


def relative_difference(start, ours, theirs):
    """||dw - dw_TRL|| / ||dw_TRL|| over all parameters of one model."""
    step = [b.detach() - a for a, b in zip(start.parameters(), theirs.parameters())]
    error = [b.detach() - a.detach() for a, b in zip(ours.parameters(), theirs.parameters())]
    norm = lambda parts: torch.cat([part.flatten() for part in parts]).norm()
    assert norm(step) > 1e-3
    return (norm(error) / norm(step)).item()


def assert_equal_update(run, settings, tolerance=1e-9, **options):
    policy, value, log = restated(run, settings, **options)
    assert relative_difference(run.start[0], policy, run.policy) < tolerance
    assert relative_difference(run.start[1], value, run.value) < tolerance
    return log


CASES = {
    "defaults": {},
    "temperature_one": {"temperature": 1.0},
    "discounted": {"gamma": 0.9, "lam": 0.8, "vf_coef": 0.5},
    "k3": {"kl_estimator": "k3", "kl_coef": 0.3},
    "large_epsilon": {"adam_epsilon": 1e-3},
    "missing_eos": {"missing_eos_penalty": 1.5},
    "whitened_rewards": {"whiten_rewards": True, "num_mini_batches": 1},
}


@pytest.mark.parametrize("name", CASES)
def test_one_update_equals_ppo_trainer(name, tmp_path, monkeypatch):
    options = {"learning_rate": 3e-3, "num_ppo_epochs": 3, "num_mini_batches": 2, **CASES[name]}
    run = Run(tmp_path, monkeypatch, per_device_train_batch_size=8, **options)
    rollouts = run.rollouts()
    assert sorted(rollouts.lengths.tolist()) == [1, 2, 4, 6, 8, 9, 9, 9] and rollouts.finished.sum() == 6
    log = assert_equal_update(run, trl_ppo.Settings(**options))
    assert sum(entry["policy_clip_fraction"] > 0 for entry in log) > len(log) / 2
    assert sum(entry["value_clip_fraction"] > 0 for entry in log) > 1


def test_sampled_rollouts(tmp_path, monkeypatch):
    """TRL's own generation: its scores are float32, so old log-probabilities are taken as it left them."""
    options = {"learning_rate": 3e-3, "num_ppo_epochs": 2, "num_mini_batches": 2}
    run = Run(tmp_path, monkeypatch, sampled=True, per_device_train_batch_size=8, **options)
    assert_equal_update(run, trl_ppo.Settings(**options), keep_sampler_logps=True)
    assert_equal_update(run, trl_ppo.Settings(**options), tolerance=1e-3)


@pytest.mark.parametrize("batches", (1, 2))
@pytest.mark.parametrize("minibatches", (1, 2))
def test_accumulation_depends_on_the_data_loader(batches, minibatches, tmp_path, monkeypatch):
    """On the loader's last batch TRL steps at each micro-batch, before it only at each fourth."""
    options = {
        "learning_rate": 3e-3,
        "num_ppo_epochs": 2,
        "num_mini_batches": minibatches,
        "gradient_accumulation_steps": 4,
    }
    run = Run(tmp_path, monkeypatch, per_device_train_batch_size=2, batches=batches, **options)
    settings = trl_ppo.Settings(**options)
    assert_equal_update(run, settings, last_batch_of_data=batches == 1)
    policy, _, _ = restated(run, settings, last_batch_of_data=batches != 1)
    assert relative_difference(run.start[0], policy, run.policy) > 0.1


WRONG = {
    "policy clipping": {"cliprange": 1e9},
    "value clipping": {"cliprange_value": 1e9},
    "advantage whitening": {"whiten_advantages": False},
    "value loss": {"vf_coef": 0.0},
    "score position": {"score_position": "last"},
    "KL penalty": {"kl_coef": 0.0},
    "GAE": {"lam": 1.0},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_restatement_is_noticed(name, tmp_path, monkeypatch):
    options = {"learning_rate": 3e-3, "num_ppo_epochs": 3, "num_mini_batches": 2}
    run = Run(tmp_path, monkeypatch, per_device_train_batch_size=8, **options)
    policy, value, _ = restated(run, trl_ppo.Settings(**options, **WRONG[name]))
    differences = (
        relative_difference(run.start[0], policy, run.policy),
        relative_difference(run.start[1], value, run.value),
    )
    assert max(differences) > 1e-2, differences
