"""The golden of ten PPO updates (tests/golden/ppo) is reproducible, well conditioned, and sensitive to what
it tests.
"""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
import golden_files as golden
import make_ppo
import trl_ppo
from safetensors.torch import load_file

torch.set_num_threads(1)
golden.use_true_float64()
ALLOWED = 1e-4  # what Keel's updates may differ by
RUNS = make_ppo.RUNS


def difference(run, policy, value_model):
    """||dw - dw_golden|| / ||dw_golden|| of the policy and of the value model."""
    stored = load_file(golden.GOLDEN / "ppo" / f"{run}.safetensors")
    results = []
    for prefix, start, end in zip(("policy", "value"), make_ppo.start_models(), (policy, value_model)):
        error = step = 0.0
        for (name, before), after in zip(start.named_parameters(), end.parameters()):
            expected = stored[f"{prefix}.{name}"]
            error += (after.detach() - expected).square().sum().item()
            step += (expected - before.detach()).square().sum().item()
        results.append((error / step) ** 0.5)
    return results


def changed(run, **changes):
    policy, value_model, _, _ = make_ppo.run(replace(RUNS[run], **changes))
    return difference(run, policy, value_model)


@pytest.mark.parametrize("run", RUNS)
def test_golden_is_reproduced(run):
    assert max(changed(run)) < 1e-9


def test_folders_hold_the_start():
    for name, model in zip(("policy", "value"), make_ppo.start_models()):
        stored = load_file(golden.GOLDEN / "ppo" / name / "model.safetensors")
        assert all(torch.equal(stored[key], tensor) for key, tensor in model.state_dict().items())


ABLATIONS = {
    "no policy clipping": {"cliprange": 1e9},
    "no value clipping": {"cliprange_value": 1e9},
    "no whitening": {"whiten_advantages": False},
    "no value loss": {"vf_coef": 0.0},
    "no KL penalty": {"kl_coef": 0.0},
    "lambda 1": {"lam": 1.0},
    "whitened rewards": {"whiten_rewards": True},
}


@pytest.mark.parametrize("run", ("score_position_after_eos", "score_position_last"))
@pytest.mark.parametrize("name", ABLATIONS)
def test_golden_is_sensitive(name, run):
    differences = changed(run, **ABLATIONS[name])
    print(f"{name}, {run}: policy {differences[0]:.1e}, value {differences[1]:.1e}")
    assert max(differences) > 100 * ALLOWED


def test_the_two_conventions_differ():
    policy, value_model, _, _ = make_ppo.run(RUNS["score_position_last"])
    assert max(difference("score_position_after_eos", policy, value_model)) > 100 * ALLOWED


def population_whiten(values, mask, shift_mean=True):
    mean = trl_ppo.masked_mean(values, mask)
    return (values - mean) * torch.rsqrt(trl_ppo.masked_mean((values - mean) ** 2, mask) + 1e-8)


def test_scales_are_seen_only_with_a_large_epsilon(monkeypatch):
    """The size of vf_coef and n against n - 1: Adam hides them, so the large-epsilon run must catch them."""
    small, large = "score_position_after_eos", "score_position_after_eos_large_epsilon"
    assert max(changed(small, vf_coef=0.05)) < ALLOWED < changed(large, vf_coef=0.05)[1] / 100
    monkeypatch.setattr(trl_ppo, "whiten", population_whiten)
    assert max(changed(small)) < ALLOWED < changed(large)[0] / 10


@pytest.mark.parametrize("run", RUNS)
def test_golden_is_well_conditioned(run, monkeypatch):
    """TRL's 1e-7 in the temperature, and padding against rows computed alone, stay far below the "
    "tolerance."""
    epsilon = max(changed(run, temperature_epsilon=0.0))
    monkeypatch.setattr(trl_ppo, "response_logits", rows_alone(trl_ppo.response_logits, 1))
    monkeypatch.setattr(trl_ppo, "response_values", rows_alone(trl_ppo.response_values, 0))
    alone = max(changed(run))
    print(f"{run}: temperature's 1e-7 {epsilon:.1e}, rows alone {alone:.1e}")
    assert epsilon < ALLOWED / 10 and alone < ALLOWED / 1000


def rows_alone(batched, extra):
    """`batched` on each rollout by itself without its padding, put back at the padded places."""

    def alone(model, rollouts, *settings):
        results = []
        for query, response, length in zip(rollouts.queries, rollouts.responses, rollouts.lengths.tolist()):
            width = len(response)
            kept = response[: min(length + 1, width)].clone()
            kept[length:] = 7  # the place after EOS: any token will do, its own row is not read
            part = replace(rollouts, queries=query[query != rollouts.pad][None], responses=kept[None])
            result = batched(model, part, *settings)[0]
            results.append(torch.nn.functional.pad(result, (0, 0) * extra + (0, width - len(kept))))
        return torch.stack(results)

    return alone
