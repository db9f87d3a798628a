"""The demo's recipe made small: every stage in a few seconds. The fixture `demo` is one such run."""

from program import ROOT, keel

SMALL = {
    "corpus.count": 300,
    "demonstrations.count": 60,
    "prompts.count": 40,
    "held_out.count": 12,
    "tokenizer.vocabulary_size": 300,
    "base.steps": 12,
    "base.hidden": 32,
    "sft.epochs": 1,
    "candidates.limit": 30,
    "candidates.max_new_tokens": 12,
    "rankings.held_out_share": 0.5,
    "reward.epochs": 1,
    "ppo.steps": 5,
    "ppo.batch_size": 4,
    "ppo.response_length": 12,
    "base_samples.max_new_tokens": 12,
    "sft_samples.max_new_tokens": 12,
    "ppo_samples.max_new_tokens": 12,
}


def run_demo(folder, seed=5, **changes):
    settings = [f"{name}={value}" for name, value in (SMALL | changes).items()]
    return keel("run", ROOT / "recipes/demo.yaml", output=folder, seed=seed, set=settings)
