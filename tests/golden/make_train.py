"""Five training steps in float64: SFT of a tiny Llama and a tiny GPT-2, reward models on pairs, on labels, on
weighted rankings with ties and margins, and on numbers of one and of three dimensions; learning-rate schedules.

Every step: loss over one batch, gradients times min(1, max_norm / (global norm + 1e-6)) (clip_grad_norm_),
one step of torch.optim.AdamW (betas 0.9 and 0.999, epsilon 1e-8, decoupled decay 0.1), transformers' cosine
schedule with two warm-up steps out of five: the first step's learning rate is 0. Decay applies to every
parameter of two or more dimensions, embeddings and heads too, and to none of one dimension (norm gains,
biases): transformers' Trainer decays the same ones in these models. Rows are computed alone, without padding.
No dropout.

SFT loss: -sum of log-probabilities of all completion tokens of the batch / their number. Reward loss: mean
over the batch's pairs of -log sigmoid(r(prompt + chosen) - r(prompt + rejected)), r on the last token. Label
loss: mean over the batch's texts of 0.3 BCE(r on the last token) + 0.7 sum_t w_t BCE(r on token t), where w_t
is proportional to t = 1 .. T and sums to 1.

max_norm is 1, which clips every step, but 2.5 for GPT-2, which clips the first three of five.

Writes train/: <name>/ (start, folder in float32 to be read as float64), <name>.safetensors,
schedules.safetensors.

    python tests/golden/make_train.py
"""

import copy

import golden_files as golden
import torch
import torch.nn.functional as F
from make_losses import judged_ranking_loss
from make_ppo import tiny_llama
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    get_constant_schedule_with_warmup,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)

FOLDER = golden.GOLDEN / "train"
VOCABULARY, STEPS, WARMUP = 60, 5, 2
LEARNING_RATE, WEIGHT_DECAY = 1e-2, 0.1
EVERY_TOKEN = 0.7
PROMPT_LENGTHS, COMPLETION_LENGTHS = (
    (3, 1, 6, 4),
    (5, 9, 1, 7),
)  # a prompt of one token, a completion of one token


def tiny_gpt2(seed):
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=16,
        n_layer=2,
        n_head=4,
        n_positions=32,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
    )
    return golden.seed_weights(GPT2LMHeadModel(config), seed)


# ---------------------------------------------------------------------------------------------------- batches


def sft_batches(seed):
    """A list of steps, each a list of (tokens (T), prompt length)."""
    generator = torch.Generator().manual_seed(seed)
    lengths = [p + c for p, c in zip(PROMPT_LENGTHS, COMPLETION_LENGTHS)]
    return [
        list(zip(golden.random_ids(generator, VOCABULARY, lengths, low=3), PROMPT_LENGTHS))
        for _ in range(STEPS)
    ]


def pair_batches(seed):
    """A list of steps, each a list of (prompt, chosen, rejected)."""
    generator = torch.Generator().manual_seed(seed)
    lengths = ((3, 5, 2), (1, 4, 8), (6, 1, 3))
    return [[golden.random_ids(generator, VOCABULARY, row, low=3) for row in lengths] for _ in range(STEPS)]


def label_batches(seed):
    """A list of steps, each a list of (tokens, label)."""
    generator = torch.Generator().manual_seed(seed)
    lengths, labels = (7, 1, 12, 5), (1.0, 0.0, 1.0, 0.0)
    return [list(zip(golden.random_ids(generator, VOCABULARY, lengths, low=3), labels)) for _ in range(STEPS)]


def sft_loss(model, batch):
    logps = []
    for tokens, prompt in batch:
        logits = model(tokens[None], use_cache=False).logits[0, prompt - 1 : -1]
        logps.append(logits.log_softmax(-1).gather(-1, tokens[prompt:, None])[:, 0])
    return -torch.cat(logps).mean()


def reward_loss(model, batch):
    score = lambda *parts: model(torch.cat(parts)[None], use_cache=False).logits[0, 0]
    margins = [score(prompt, chosen) - score(prompt, rejected) for prompt, chosen, rejected in batch]
    return -F.logsigmoid(torch.stack(margins)).mean()


def label_loss(model, batch):
    losses = []
    for tokens, label in batch:
        logits = model.score(model.model(tokens[None], use_cache=False).last_hidden_state)[0, :, 0]
        torch.testing.assert_close(logits[-1], model(tokens[None], use_cache=False).logits[0, 0])
        weight = torch.arange(1.0, len(tokens) + 1, dtype=torch.float64)
        each = F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label), reduction="none")
        losses.append((1 - EVERY_TOKEN) * each[-1] + EVERY_TOKEN * (each * weight).sum() / weight.sum())
    return torch.stack(losses).mean()


# Rankings that weigh more and less, with ties and scores. Every share of a pair in the batch's loss is a sum of
# powers of two: float32 holds it.
RANKED = (([1, 2], 0.5), ([2, 1, 2], 1.5), ([1, 3, 3, 2], 3.0), ([1, 1], 3.0))
MARGIN_SCALE = 0.5


def ranked_batches(seed):
    """A list of steps, each a list of (prompt, completions, ranks, scores, weight)."""
    generator = torch.Generator().manual_seed(seed)
    steps = []
    for _ in range(STEPS):
        step = []
        for ranks, weight in RANKED:
            lengths = torch.randint(1, 9, (len(ranks) + 1,), generator=generator).tolist()
            prompt, *completions = golden.random_ids(generator, VOCABULARY, lengths, low=3)
            scores = torch.randint(1, 8, (len(ranks),), generator=generator).double()
            step.append((prompt, completions, torch.tensor(ranks), scores, weight))
        steps.append(step)
    return steps


def ranked_loss(model, batch):
    total, weights = 0, 0
    for prompt, completions, ranks, scores, weight in batch:
        texts = [torch.cat((prompt, completion))[None] for completion in completions]
        rewards = torch.stack([model(text, use_cache=False).logits[0, 0] for text in texts])
        total = total + weight * judged_ranking_loss(rewards, ranks, scores, "half", MARGIN_SCALE)
        weights += weight
    return total / weights


DIMENSIONS = ("harmless", "helpful", "honest")


def value_batches(seed, labels):
    """A list of steps, each a list of (tokens, values (labels), NaN where nothing is said, weight)."""
    generator = torch.Generator().manual_seed(seed)
    steps = []
    for _ in range(STEPS):
        ids = golden.random_ids(generator, VOCABULARY, (7, 1, 12, 5), low=3)
        values = torch.randn((4, labels), generator=generator, dtype=torch.float64)
        if labels > 1:
            values[1, 0] = values[3, 2] = float("nan")
        steps.append(list(zip(ids, values, (1.0, 0.5, 2.0, 0.25))))
    return steps


def value_loss(model, batch):
    read = torch.cat([model(tokens[None], use_cache=False).logits for tokens, _, _ in batch])
    wanted = torch.stack([values for _, values, _ in batch])
    weights = torch.tensor([weight for _, _, weight in batch], dtype=torch.float64)[:, None].expand_as(wanted)
    there = ~wanted.isnan()
    return F.mse_loss(read[there], wanted[there], weight=weights[there])


def assert_transformers_regression(model, batch):
    """With equal weights and nothing missing it is what transformers computes from float labels."""
    tokens, values, _ = batch[0]
    ours = value_loss(model.double(), [(tokens, values, 1.0)])
    labels = values if len(values) == 1 else values[None]
    torch.testing.assert_close(ours, model(tokens[None], labels=labels, use_cache=False).loss)


def sft_tensors(batches):
    tensors = {}
    for step, batch in enumerate(batches):
        name = f"step_{step}_"
        tensors[name + "tokens"], tensors[name + "offsets"] = golden.pack([tokens for tokens, _ in batch])
        tensors[name + "prompt_lengths"] = torch.tensor([prompt for _, prompt in batch])
    return tensors


def pair_tensors(batches):
    tensors = {}
    for step, batch in enumerate(batches):
        for part, rows in zip(("prompt", "chosen", "rejected"), zip(*batch)):
            name = f"step_{step}_{part}_"
            tensors[name + "tokens"], tensors[name + "offsets"] = golden.pack(rows)
    return tensors


def label_tensors(batches):
    tensors = {"every_token": EVERY_TOKEN}
    for step, batch in enumerate(batches):
        name = f"step_{step}_"
        tensors[name + "tokens"], tensors[name + "offsets"] = golden.pack([tokens for tokens, _ in batch])
        tensors[name + "labels"] = torch.tensor([label for _, label in batch])
    return tensors


def ranked_tensors(batches):
    tensors = {"margin_scale": MARGIN_SCALE}
    for step, batch in enumerate(batches):
        name = f"step_{step}_"
        prompts, completions, ranks, scores, weights = zip(*batch)
        tensors[name + "prompt_tokens"], tensors[name + "prompt_offsets"] = golden.pack(prompts)
        every = [completion for row in completions for completion in row]
        tensors[name + "completion_tokens"], tensors[name + "completion_offsets"] = golden.pack(every)
        tensors[name + "ranks"], tensors[name + "row_offsets"] = golden.pack(ranks)
        tensors[name + "scores"], tensors[name + "weights"] = torch.cat(scores), torch.tensor(weights).double()
    return tensors


def value_tensors(batches):
    tensors = {}
    for step, batch in enumerate(batches):
        name = f"step_{step}_"
        tokens, values, weights = zip(*batch)
        tensors[name + "tokens"], tensors[name + "offsets"] = golden.pack(tokens)
        tensors[name + "values"], tensors[name + "weights"] = torch.stack(values), torch.tensor(weights).double()
    return tensors


# --------------------------------------------------------------------------------------------------- training


def optimizer_of(model, decay):
    matrices = [parameter for parameter in model.parameters() if parameter.dim() >= 2]
    others = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8)


def train(start, loss_of, batches, max_norm, decay=WEIGHT_DECAY):
    """The trained copy of `start`, and a log: loss, norm before clipping, learning rate of each step."""
    model = copy.deepcopy(start).double()
    optimizer = optimizer_of(model, decay)
    schedule = get_cosine_schedule_with_warmup(optimizer, WARMUP, STEPS)
    log = {"loss": [], "grad_norm": [], "learning_rate": []}
    for batch in batches:
        loss = loss_of(model, batch)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        log["loss"].append(loss.item())
        log["grad_norm"].append(norm.item())
        log["learning_rate"].append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return model, log


def assert_sensitive(start, trained, loss_of, batches, max_norm):
    """Without decay, and without clipping, the change of the weights is visibly another one."""
    flat = lambda model: torch.cat(
        [parameter.detach().double().flatten() for parameter in model.parameters()]
    )
    step = (flat(trained) - flat(start)).norm()
    for name, change in (("decay", {"decay": 0.0, "max_norm": max_norm}), ("clipping", {"max_norm": 1e9})):
        other, _ = train(start, loss_of, batches, **change)
        difference = ((flat(other) - flat(trained)).norm() / step).item()
        print(f"without {name}: {difference:.1e}")
        assert difference > 1e-2


def write_run(name, start, loss_of, batches, tensors, convention, max_norm=1.0):
    golden.save_model(FOLDER / name, start)
    model, log = train(start, loss_of, batches, max_norm)
    print(name, {key: [float(f"{value:.4g}") for value in values] for key, values in log.items()})
    assert_sensitive(start, model, loss_of, batches, max_norm)
    tensors |= {"max_norm": max_norm, "weight_decay": WEIGHT_DECAY, "peak_learning_rate": LEARNING_RATE}
    tensors |= {key: torch.tensor(values, dtype=torch.float64) for key, values in log.items()}
    tensors |= {f"model.{key}": value for key, value in model.named_parameters()}
    golden.save(FOLDER / name, tensors, convention)


def write_schedules():
    """Multipliers of steps 0 to 21 of 20; total 20, warm-up 4 and 0."""
    tensors = {}
    for warmup in (0, 4):
        for name, build in {
            "cosine": lambda o: get_cosine_schedule_with_warmup(o, warmup, 20),
            "linear": lambda o: get_linear_schedule_with_warmup(o, warmup, 20),
            "constant": lambda o: get_constant_schedule_with_warmup(o, warmup),
        }.items():
            optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
            schedule = build(optimizer)
            values = []
            for _ in range(22):
                values.append(schedule.get_last_lr()[0])
                optimizer.step()
                schedule.step()
            tensors[f"{name}_warmup_{warmup}"] = torch.tensor(values, dtype=torch.float64)
    golden.save(
        FOLDER / "schedules",
        tensors,
        "(22) float64: the learning rate of steps 0..21 (step 0 is the first) as a share of the highest; 20 "
        "steps in all; with warm-up w step s < w has s / w, so the first has 0; cosine is half a period; "
        "beyond step 20: as transformers continues (cosine rises again, linear stays 0)",
    )


SFT_CONVENTION = (
    "step_s_: tokens (N), offsets (B+1), prompt_lengths (B): the loss is on tokens after the prompt, token "
    "mean over the batch; loss, grad_norm (before clipping to max_norm), learning_rate (5); model.*: "
    "weights after the fifth step, float64"
)
PAIR_CONVENTION = (
    "step_s_{prompt,chosen,rejected}_{tokens,offsets}: row i's texts are prompt+chosen and prompt+rejected; "
    "loss, grad_norm (before clipping to max_norm), learning_rate (5); model.*: weights after the fifth "
    "step, float64"
)
LABEL_CONVENTION = (
    "step_s_: tokens (N), offsets (B+1), labels (B): texts; every_token: the share of the loss that is asked "
    "of every token; loss, grad_norm (before clipping to max_norm), learning_rate (5); model.*: weights after "
    "the fifth step, float64"
)
RANKED_CONVENTION = (
    "step_s_: prompt_{tokens, offsets}; completion_{tokens, offsets}, ranks, scores, row_offsets: row i's are "
    "row_offsets[i]:row_offsets[i+1]; weights (4); ties half, margin_scale; the rest as reward_llama"
)
VALUE_CONVENTION = (
    "step_s_: tokens (N), offsets (5): texts; values (4, labels), NaN where a row says nothing; weights (4): mean "
    "squared error over what is said, by weight; the rest as reward_llama"
)


def write_values():
    for name, seed, labels in (("values_llama", 405, 1), ("ratings_llama", 406, 3)):
        batches = value_batches(seed + 10, labels)
        model = tiny_llama(LlamaForSequenceClassification, seed, num_labels=labels)
        model.config.problem_type = "regression"
        if labels > 1:
            model.config.id2label = dict(enumerate(DIMENSIONS))
            model.config.label2id = {dimension: label for label, dimension in enumerate(DIMENSIONS)}
        assert_transformers_regression(copy.deepcopy(model), batches[0])
        write_run(name, model, value_loss, batches, value_tensors(batches), VALUE_CONVENTION)


if __name__ == "__main__":
    golden.check_versions()
    golden.use_true_float64()
    for name, start, seed, max_norm in (
        ("sft_llama", tiny_llama(LlamaForCausalLM, 401), 411, 1.0),
        ("sft_gpt2", tiny_gpt2(402), 412, 2.5),
    ):
        batches = sft_batches(seed)
        write_run(name, start, sft_loss, batches, sft_tensors(batches), SFT_CONVENTION, max_norm)
    batches = pair_batches(413)
    reward = tiny_llama(LlamaForSequenceClassification, 403, num_labels=1)
    write_run("reward_llama", reward, reward_loss, batches, pair_tensors(batches), PAIR_CONVENTION)
    batches = label_batches(414)
    labels = tiny_llama(LlamaForSequenceClassification, 404, num_labels=1)
    write_run("labels_llama", labels, label_loss, batches, label_tensors(batches), LABEL_CONVENTION)
    batches = ranked_batches(417)
    ranked = tiny_llama(LlamaForSequenceClassification, 407, num_labels=1)
    write_run("ranked_llama", ranked, ranked_loss, batches, ranked_tensors(batches), RANKED_CONVENTION)
    write_values()
    write_schedules()
