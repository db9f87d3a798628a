"""Why a target was missed, and what was tried; and why each scaling curve bends: (the commit whose figures were read, the reason). Only what was measured; a bend
whose cause is not known says so. Read a curve's breakdown again after a change of the engine."""

MISSES = {}

REASONS = {
    "length": (
        "41f53a5",
        "Attention. Up to 512 tokens it is at most 7 % of a token's model FLOPs; at 4,096 it is 39 %, which alone "
        "makes a token 1.6 times as dear. The rate falls 2.1 times, so a factor of 1.3 is not arithmetic: what "
        "attention does beside its products grows from 3 to 15 % of the time, and its products, of blocks of 64 x "
        "64, run at about 60 % of the matrix rate if those of the weights keep the pace that they have in short "
        "rows. The dip at 128 and 256 is not explained: it is one round, and the machine's own products varied as "
        "much.",
    ),
    "batch-sft": (
        "41f53a5",
        "A step costs about 85 ms however few its rows are (149 ms with one row of 128 tokens, 574 ms with eight: "
        "61 ms a row). The optimizer is a part of that, 8 % of the time at one row and nothing at 64; what the "
        "rest is, this breakdown does not separate from loading the program, which at one row takes as long as "
        "the steps. From 512 tokens a step on, products are two thirds of the time and more, and the curve is "
        "flat.",
    ),
    "batch-generate": (
        "41f53a5",
        "One row reads all weights for each token: 591 tokens/s of 53 MB in bfloat16 are 32 GB/s, near what this "
        "machine reads beyond its cache (35 to 57 GB/s). Two rows share the reading and are twice as fast. From "
        "16 rows on the curve flattens towards 64 % of the matrix rate: products take half of the time, attention "
        "beside them, in which rows share nothing, grows to a fifth.",
    ),
    "size-sft": (
        "41f53a5",
        "Larger matrices multiply nearer to the best rate: the products' part of the time hardly changes (69 % "
        "for m30, 73 % for m124-2k), but their pace, the share over that part, grows from 0.90 to 0.99 of the "
        "matrix rate. Why h640 does not lie between its neighbours and why h256 reaches half is not known: one "
        "round, no breakdown.",
    ),
    "vocabulary-generate": (
        "41f53a5",
        "The head's FLOPs, which are 3 % of a new token's at 2,048 and 64 % at 131,072 (its part of the prompt "
        "with it): the share of the matrix rate stays at 48 to 53 % from 4,096 to 65,536. At 131,072, where it is "
        "64 %, softmax and drawing take 5 % of the time. The first point is a disturbance that the products did "
        "not show: the same work gave 2,667 tokens/s in the curve of rows.",
    ),
    "samples-ppo": (
        "41f53a5",
        "A prompt is computed once for all of its samples, in the rollout and in every pass of the update: with "
        "16 samples a step has 1,152 tokens instead of 3,072. The share of the matrix rate falls from 72 to 63 % "
        "meanwhile: optimizer, new pages and the rest of libtorch, which do not shrink with the tokens, are 13 % "
        "of the time instead of 7.",
    ),
    "samples-generate": (
        "41f53a5",
        "The prompts' FLOPs: 4,096 tokens of prompts with one sample each, 256 with 16. The share of the matrix "
        "rate is the same everywhere.",
    ),
    "context-generate": (
        "41f53a5",
        "Attention: 5 % of the time at 64 tokens, 41 % at 1,024, 66 % at 4,096, where its FLOPs are but 39 % of a "
        "token's. A query uses each cached key once, so it reads as much as it multiplies: with 2,048 tokens seen "
        "on average a token reads 34 MB of keys and values; 653 tokens/s of them, and the weights that eight rows "
        "share, are 26 GB/s. The first point is low because it has a prefill of 32 tokens for 32 new ones.",
    ),
}
