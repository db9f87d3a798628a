"""Runs the real run: for each seed the recipe (beta 0.1), then the other betas and the controls, then the scores.

Everything goes through `keel run`, so what is done is skipped and what was cut goes on: the same command again
resumes. The other arms take the options of the recipe's own stages as they were recorded in stages.json; each arm
states only what it changes.

    tools/results/experiment.py --seeds 1 2 3 4 5          all of it
    tools/results/experiment.py --seeds 7 --arms beta-0.1 --prompts validation --root runs/tuning
"""
import argparse
import json
import pathlib
import subprocess

import convert
import evaluate

RECIPE = "recipes/positive-reviews.yaml"
# the classifiers that are averaged -> how far their seeds lie from the replicate's
MEMBERS = {"proxy_1": 1000, "proxy_2": 2000, "judge_1": 3000, "judge_2": 4000}
# arm -> what it changes in the recipe's stages
ARMS = {
    "beta-0.3": {"ppo": {"kl_coef": 0.3}},
    "beta-0.15": {"ppo": {"kl_coef": 0.15}},
    "beta-0.1": {},
    "beta-0.05": {"ppo": {"kl_coef": 0.05}},
    "permuted": {member: {"data": "proxy-all-permuted.jsonl"} for member in ("proxy_1", "proxy_2")},
    "negated": {"ppo": {"reward_scale": -0.35}},
    "beta-20": {"ppo": {"kl_coef": 20.0}},
    "beta-20-small-steps": {"ppo": {"kl_coef": 20.0, "learning_rate": 0.0002}},
    "beta-0": {"ppo": {"kl_coef": 0.0}},
}


class Seed:
    """One replicate: its SFT model, reward model, neural judge and policies all draw by this seed."""

    def __init__(self, arguments, seed):
        self.keel, self.seed, self.prompts = arguments.keel, seed, arguments.prompts
        self.data, self.models = arguments.root / "data", arguments.data
        self.folder = arguments.root / f"seed-{seed}"
        self.extra = arguments.set

    def keel_run(self, recipe, output, *settings):
        subprocess.run([self.keel, "run", str(recipe), "--output", str(output), "--seed", str(self.seed),
                        *(part for setting in settings for part in ("--set", setting))], check=True)

    def run_recipe(self):
        """SFT, proxy, judge, PPO at beta 0.1, samples. Classifiers leave a part to choose on while choices are made."""
        part = "train" if self.prompts == "validation" else "all"
        files = {"sft.data": "sft-train", "sft.validation": "sft-validation", "ppo.data": "prompts-train",
                 **{f"{member}.data": f"{member.split('_')[0]}-{part}" for member in MEMBERS},
                 "sft_samples.prompts": f"prompts-{self.prompts}",
                 "ppo_samples.prompts": f"prompts-{self.prompts}"}
        base = self.models / "weights-tinystories-656k"
        self.keel_run(RECIPE, self.folder, f"sft.model={base}",
                      *(f"{member}.seed={offset + self.seed}" for member, offset in MEMBERS.items()),
                      *(f"{option}={self.data / name}.jsonl" for option, name in files.items()), *self.extra)

    def recorded_options(self):
        """Stage -> options, as the recipe's run recorded them."""
        stages = json.loads((self.folder / "stages.json").read_text())["stages"]
        return {stage["name"]: stage["options"] for stage in stages}

    def run_arm(self, name):
        """Trains one more policy and samples it. The recipe it runs is written beside it."""
        if not ARMS[name]:
            return self.folder
        folder, changes, recorded = self.folder / name, ARMS[name], self.recorded_options()
        stages = {}
        for member in [stage for stage in changes if stage in MEMBERS]:
            changed = {"output": member.replace("_", "-"), "data": str(self.data / changes[member]["data"])}
            stages[member] = self.stage("reward", recorded[member], changed)
        if stages:
            stages["proxy"] = {"command": "average", "output": "proxy",
                               "models": [f"{stages[member]['output']}/final" for member in stages]}
        ppo = {"output": "ppo", **changes.get("ppo", {})}
        if "proxy" in stages:
            ppo["reward_model"] = "proxy/final"
        stages["ppo"] = self.stage("ppo", recorded["ppo"], ppo)
        stages["ppo_samples"] = self.stage("sample", recorded["ppo_samples"],
                                           {"model": "ppo/final", "output": "samples/ppo.jsonl"})
        folder.mkdir(exist_ok=True)
        recipe = folder / "recipe.yaml"  # JSON is YAML
        recipe.write_text(json.dumps({"output": str(folder), "seed": self.seed, "stages": stages}, indent=1))
        self.keel_run(recipe, folder)
        return folder

    @staticmethod
    def stage(command, options, changes):
        kept = {name: value for name, value in options.items() if value not in ("", [], None)}
        return {"command": command, **kept, **changes}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keel", default="build/keel")
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("../shared/data"))
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path("runs/positive-reviews"))
    parser.add_argument("--raw", type=pathlib.Path, default=pathlib.Path("docs/results/positive-reviews"),
                        help="where the raw figures of every run go")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--prompts", choices=("held-out", "validation"), default="held-out")
    parser.add_argument("--set", action="append", default=[], help="stage.option=value, to try a setting")
    arguments = parser.parse_args()
    if not (arguments.root / "data" / "prompts-held-out.jsonl").exists():
        convert.convert(arguments.keel, arguments.data / "weights-tinystories-656k",
                        arguments.data / "rt-polarity", arguments.root / "data")
    for number in arguments.seeds:
        seed = Seed(arguments, number)
        seed.run_recipe()
        evaluation = evaluate.Evaluation(arguments.keel, seed.folder, arguments.root / "data",
                                         arguments.raw / f"seed-{number}", arguments.prompts)
        evaluation.judges()
        evaluation.sft()
        for arm in arguments.arms:
            evaluation.arm(arm, seed.run_arm(arm))


if __name__ == "__main__":
    main()
