"""Sampling goldens: the probabilities that transformers 4.57.1 would sample from, in float64.

The processors and their order are transformers' own (`_get_logits_processor` of a model, from a
GenerationConfig): repetition penalty over prompt and generated ids, temperature, top-k, top-p, min-p, then
softmax. Off is temperature 1, top_k 0, top_p 1, min_p 0, repetition penalty 1. Logits are exact in float32.
No case lies within 1e-6 of a cut.

Writes sampling.safetensors and sampling.json.

    python tests/golden/make_sampling.py
"""

import golden_files as golden
import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

VOCABULARY = 50
IDS = torch.tensor([3, 7, 7, 12, 49, 0, 7, 3, 21])  # prompt and generated so far, with repeats
OFF = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0}
SETTINGS = {
    "off": {},
    "temperature_0.7": {"temperature": 0.7},
    "temperature_1.5": {"temperature": 1.5},
    "temperature_0.05": {"temperature": 0.05},
    "top_k_1": {"top_k": 1},
    "top_k_5": {"top_k": 5},
    "top_k_beyond_vocabulary": {"top_k": 60},
    "top_p_0.9": {"top_p": 0.9},
    "top_p_0.5": {"top_p": 0.5},
    "top_p_tiny": {"top_p": 0.0001},
    "min_p_0.05": {"min_p": 0.05},
    "min_p_0.5": {"min_p": 0.5},
    "penalty_1.3": {"repetition_penalty": 1.3},
    "penalty_0.8": {"repetition_penalty": 0.8},
    "temperature_top_k_top_p": {"temperature": 0.8, "top_k": 20, "top_p": 0.9},
    "top_k_top_p": {"top_k": 10, "top_p": 0.8},
    "temperature_min_p": {"temperature": 1.5, "min_p": 0.1},
    "everything": {"temperature": 0.7, "top_k": 15, "top_p": 0.85, "min_p": 0.06, "repetition_penalty": 1.2},
}


def logit_rows():
    """name -> (V) float64 holding float32 values."""
    noise = torch.randn((4, VOCABULARY), generator=torch.Generator().manual_seed(60))
    rows = {
        "ordinary": 2 * noise[0],
        "peaked": 6 * noise[1],
        "flat": 0.125 * noise[2],
        "all_negative": 2 * noise[3] - 20,
        "ties": (2 * noise[0]).round(),  # top-k keeps every token that ties with the k-th
    }
    return {name: row.double() for name, row in rows.items()}


def processed(model, logits, options):
    config = GenerationConfig(do_sample=True, **{**OFF, **options})
    processors = model._get_logits_processor(
        config, input_ids_seq_length=len(IDS), device="cpu", model_kwargs={}
    )
    return processors(IDS[None], logits[None].clone())[0]


def assert_no_near_cut(logits, options):
    """The cumulative probability of top-p and the ratio of min-p are clear of their limits."""
    if options.get("top_p", 1.0) < 1.0:
        cumulative = logits.softmax(-1).sort().values.cumsum(-1)
        assert (cumulative - (1 - options["top_p"])).abs().min() > 1e-6
    if options.get("min_p", 0.0) > 0.0:
        probabilities = logits.softmax(-1)
        assert (probabilities / probabilities.max() - options["min_p"]).abs().min() > 1e-6


def main():
    golden.check_versions()
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=8,
            num_hidden_layers=1,
            intermediate_size=8,
            num_attention_heads=1,
        )
    )
    rows, cases, probabilities = logit_rows(), [], []
    for index, (row_name, logits) in enumerate(rows.items()):
        for name, options in SETTINGS.items():
            if row_name == "ties" and "top_p" in options:
                continue  # which of equal logits top-p keeps depends on the sort
            before_cut = {key: value for key, value in options.items() if key not in ("top_p", "min_p")}
            assert_no_near_cut(processed(model, logits, before_cut), options)
            cases.append({"name": f"{row_name}, {name}", "logits": index, **OFF, **options})
            probabilities.append(processed(model, logits, options).softmax(-1))
    parameters = [[float(case[key]) for key in OFF] for case in cases]
    golden.save(
        golden.GOLDEN / "sampling",
        {
            "logits": torch.stack(list(rows.values())),
            "ids": IDS,
            "probabilities": torch.stack(probabilities),
            "logits_index": torch.tensor([case["logits"] for case in cases]),
            "parameters": torch.tensor(parameters, dtype=torch.float64),
        },
        "case c: probabilities[c] (V) from logits[logits_index[c]] and ids under parameters[c] = "
        + ", ".join(OFF)
        + "; order: repetition penalty, temperature, top-k, top-p, min-p, softmax",
    )
    golden.save_json(golden.GOLDEN / "sampling", {"ids": IDS.tolist(), "cases": cases})


if __name__ == "__main__":
    main()
