#!/usr/bin/env python3
"""Writes tests/golden/tokenizers/: varied lines, and what `tokenizers` 0.22 and transformers 4.57 make of them.

    python tests/golden/make_tokenizers.py [../shared/data]

Needs tokenizers and transformers. Everything is seeded; running it again writes the same bytes. Files:

  lines.jsonl.gz      one line of text each: a JSON string, or {"hex": bytes} where the bytes are no UTF-8
  <name>.jsonl.gz     a header {"before", "after", "size"}; for each line [ids, completion ids, text, kept];
                      then random id sequences {"ids", "text", "kept"}
      ids             without special tokens; `before` and `after` go around them (checked for every line)
      completion ids  of the same tokenizer without Prepend and add_prefix_space; null when equal
      text, kept      decoded without and with special tokens; null when equal to the line and to the text
  <name>/             the tokenizer itself where it is made here
  trainer.jsonl.gz    merges that BpeTrainer learns from texts
  unicode.json        SHA-256 over all code points: which a class matches, what NFC and its like make of each
"""

import gzip
import hashlib
import json
import logging
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2TokenizerFast

HERE = Path(__file__).resolve().parent
OUT = HERE / "tokenizers"
DATA = Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parents[1] / "../shared/data").resolve()

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# ---------------------------------------------------------------- lines

SYLLABLES = (
    "ba be bi bo da de di do fa ge ha ka ki la le lo ma me mi na no pa ra re ri sa se so ta te ti to va wa"
).split()
SCRIPTS = {  # ranges of code points that a script's words are drawn from
    "latin": (0x61, 0x7A),
    "accents": (0xC0, 0x17F),
    "greek": (0x391, 0x3C9),
    "cyrillic": (0x410, 0x44F),
    "hebrew": (0x5D0, 0x5EA),
    "arabic": (0x621, 0x64A),
    "devanagari": (0x905, 0x939),
    "thai": (0xE01, 0xE2E),
    "khmer": (0x1780, 0x17B3),
    "hiragana": (0x3041, 0x3096),
    "katakana": (0x30A1, 0x30FA),
    "han": (0x4E00, 0x9FFF),
    "hangul": (0xAC00, 0xD7A3),
    "jamo": (0x1100, 0x11FF),
    "han_extension": (0x20000, 0x2A6D0),
    "new_han": (0x31350, 0x323AF),
    "cuneiform": (0x12000, 0x12399),
}
EMOJI = [
    "😀",
    "🚀",
    "👍🏽",
    "👩‍👩‍👧‍👦",
    "😶‍🌫️",
    "🇩🇪",
    "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "❤️",
    "1️⃣",
    "🫠",
    "♟️",
    "🧑🏿‍🚀",
    "✅",
    "☃",
]
SPACES = [
    " ",
    "  ",
    "   ",
    "\t",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    " \n",
    "\n ",
    " \t ",
    "\u00a0",
    "\u3000",
    "\u2003",
    "\u2028",
    "\u0085",
    "\u180e",
    "\u200b",
    "\x0b",
    "\x0c",
    "        ",
    "\u1680",
    "\u202f",
    "\ufeff",
]
CONTRACTIONS = [
    "'s",
    "'t",
    "'re",
    "'ve",
    "'m",
    "'ll",
    "'d",
    "'S",
    "'T",
    "'RE",
    "'Ve",
    "'M",
    "'LL",
    "'D",
    "’s",
    "'ſ",
    "''s",
    "'x",
]
SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|start_story|>",
    "<|end_story|>",
    "<unk>",
    "<s>",
    "</s>",
    "<pad>",
    "<|begin_of_text|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<file_sep>",
    "<repo_name>",
    "<issue_start>",
    "<0x0A>",
    "[WORD]",
    "[LEFT]",
    "[RIGHT]",
    "[BOTH]",
    "[norm]",
    "[NORM]",
    "[plain]",
    "<|im_start",
    "|im_end|>",
    "▁",
    "Ġ",
    "Ċ",
]
CODE = [
    "def f(x):\n    return x ** 2  # squared",
    "for (int i = 0; i < n; ++i) { a[i] += b[i] * 3.5e-7; }",
    '<div class="row">\n\t<p>&nbsp;</p>\n</div>',
    "SELECT name, COUNT(*) FROM t WHERE a <> 'b' GROUP BY 1;",
    "let mut v: Vec<u8> = vec![0x1F; 42];",
    'if [ -z "$HOME" ]; then exit 1; fi',
    "x = {'key': [1, 2, {\"deep\": None}]}",
    "#include <vector>\r\n\r\nint main() {}\r\n",
    "https://example.org/a/b?c=d&e=%20f#g",
    "C:\\temp\\new.txt",
    "a\\nb\\tc",
]
MARKS = [
    chr(c)
    for c in (
        0x300,
        0x301,
        0x308,
        0x30A,
        0x323,
        0x327,
        0x331,
        0x338,
        0x345,
        0x5B0,
        0x651,
        0x93C,
        0x94D,
        0x309A,
    )
]


def word(r):
    return "".join(r.choice(SYLLABLES) for _ in range(r.randint(1, 5)))


def sentence(r):
    words = [word(r) + (r.choice(CONTRACTIONS) if r.random() < 0.1 else "") for _ in range(r.randint(1, 14))]
    words = [w.capitalize() if r.random() < 0.15 else w.upper() if r.random() < 0.05 else w for w in words]
    return " ".join(words) + r.choice([".", "!", "?", "...", ", ", ";", "", " —", "?!", ")"])


def script_words(r):
    low, high = SCRIPTS[r.choice(list(SCRIPTS))]
    return r.choice([" ", "", "、", "، "]).join(
        "".join(chr(r.randint(low, high)) for _ in range(r.randint(1, 7))) for _ in range(r.randint(1, 6))
    )


def digits(r):
    return r.choice(
        ["{}", "-{}", "{}.{}", "{},{}", "${}", "{}%", "{}th", "0x{}", "x{}y", "{} {}", "²{}", "½{}"]
    ).format(
        *("".join(r.choice("0123456789") for _ in range(r.choice([1, 2, 3, 4, 7, 20, 60]))) for _ in range(2))
    ) + r.choice(
        ["", "٣٤", "๕", "Ⅷ", "𝟙𝟚", "௧௨", "🄀"]
    )


def combining(r):
    return "".join(
        r.choice("aeioucnsztAEIOU가かहक") + "".join(r.sample(MARKS, r.randint(0, 4)))
        for _ in range(r.randint(1, 8))
    )


def random_unicode(r):
    characters = []
    while len(characters) < r.randint(1, 24):
        c = r.randint(0, r.choice([0xFF, 0x7FF, 0xFFFF, 0x1FFFF, 0x10FFFF]))
        if not 0xD800 <= c < 0xE000:
            characters.append(chr(c))
    return "".join(characters)


def control(r):
    return "".join(
        chr(r.choice([*range(0x20), 0x7F, *range(0x80, 0xA0), 0x200E, 0x202E, 0xFFFE]))
        for _ in range(r.randint(1, 6))
    )


def mixed(r):
    kinds = [
        sentence,
        script_words,
        digits,
        combining,
        random_unicode,
        control,
        lambda r: r.choice(EMOJI),
        lambda r: r.choice(SPECIAL),
        lambda r: r.choice(CODE),
        lambda r: r.choice(SPACES) * r.randint(1, 3),
        word,
    ]
    return "".join(r.choice(kinds)(r) for _ in range(r.randint(1, 4)))


def special_inside(r):
    if r.random() < 0.1:
        return " ".join(
            r.choice(SYLLABLES) + r.choice(["sate", "be", "babe"]) for _ in range(r.randint(1, 4))
        )
    parts = [
        (
            r.choice(SPECIAL) + r.choice(["", " ", "  ", "\n"])
            if r.random() < 0.6
            else r.choice(["", " "]) + word(r)
        )
        for _ in range(r.randint(1, 7))
    ]
    return "".join(parts)


def broken(r):
    data = bytearray(mixed(r).encode())
    for _ in range(r.randint(1, 4)):
        at = r.randint(0, len(data))
        data[at : at + r.randint(0, 2)] = bytes(
            r.choice(
                [
                    [r.randint(0x80, 0xFF)],
                    [0xE2, 0x82],
                    [0xF0, 0x9F, 0x98],
                    [0xED, 0xA0, 0x80],
                    [0xC0, 0xAF],
                    [0xF4, 0x90, 0x80, 0x80],
                    [0xFF, 0xFE],
                    [0xE0, 0x80],
                    [0xF8, 0x88, 0x80, 0x80, 0x80],
                    [0xC3],
                ]
            )
        )
    return bytes(data)


def make_lines():
    r = random.Random(20240607)
    lines = ["", " ", "  ", "\n", "a", " a", "a ", *EMOJI, *SPACES, *CODE, *SPECIAL, *CONTRACTIONS]
    kinds = [
        (sentence, 500),
        (script_words, 300),
        (digits, 150),
        (combining, 150),
        (random_unicode, 350),
        (control, 60),
        (special_inside, 250),
        (mixed, 450),
    ]
    for make, count in kinds:
        lines += [make(r) for _ in range(count)]
    lines += [" ".join(sentence(r) for _ in range(12)) for _ in range(20)]
    lines += [s * n for s in [" ", "\n", "a", "é", "😀", "1", "\t", "ba", "\u3000", "!"] for n in (33, 257)]
    lines += [broken(r) for _ in range(150)]
    return lines


def text_of(line):
    return line if isinstance(line, str) else line.decode("utf-8", errors="replace")


# ---------------------------------------------------------------- writing


def write_gzip(path, rows):
    data = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, 9, mtime=0))
    print(f"{path.relative_to(HERE)}: {path.stat().st_size} bytes")
    assert path.stat().st_size < 1 << 20


def without_prefix(tokenizer):
    """The same tokenizer, but nothing is put in front of a text."""

    def clean(node):
        if isinstance(node, list):
            return [clean(n) for n in node]
        if not isinstance(node, dict):
            return node
        node = {k: clean(v) for k, v in node.items()}
        if "add_prefix_space" in node:
            node["add_prefix_space"] = False
        if "normalizers" in node:
            node["normalizers"] = [n for n in node["normalizers"] if n["type"] != "Prepend"]
        return node

    description = json.loads(tokenizer.to_str())
    for name in ("normalizer", "pre_tokenizer"):
        description[name] = clean(description[name])
    if (description["normalizer"] or {}).get("type") == "Prepend":
        description["normalizer"] = None
    return Tokenizer.from_str(json.dumps(description))


def decoded(tokenizer, ids):
    return [tokenizer.decode(ids, skip_special_tokens=skip) for skip in (True, False)]


def golden(name, tokenizer, lines, sequences=400):
    continuing = without_prefix(tokenizer)
    empty = tokenizer.encode("").ids
    probe = tokenizer.encode("a").ids
    inner = tokenizer.encode("a", add_special_tokens=False).ids
    start = next(i for i in range(len(probe)) if probe[i : i + len(inner)] == inner)
    before, after = probe[:start], probe[start + len(inner) :]
    assert empty == before + after
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    rows = [{"before": before, "after": after, "size": max(vocabulary.values()) + 1}]
    for line in lines:
        text = text_of(line)
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        whole = tokenizer.encode(text).ids
        assert whole == before + ids + after, (name, text)
        completion = continuing.encode(text, add_special_tokens=False).ids
        skipped, kept = decoded(tokenizer, whole)
        rows.append(
            [
                ids,
                None if completion == ids else completion,
                None if skipped == text else skipped,
                None if kept == skipped else kept,
            ]
        )
    r = random.Random(7)
    known = sorted(vocabulary.values())
    byte_like = sorted(i for t, i in vocabulary.items() if len(t) == 1 or t.startswith("<0x"))
    special = sorted(tokenizer.get_added_tokens_decoder()) or known
    for _ in range(sequences):
        pools = r.choice([[known], [byte_like], [known, byte_like, special]])
        ids = [r.choice(r.choice(pools)) for _ in range(r.randint(0, 24))]
        skipped, kept = decoded(tokenizer, ids)
        rows.append({"ids": ids, "text": skipped, "kept": kept})
    write_gzip(OUT / f"{name}.jsonl.gz", rows)


# ---------------------------------------------------------------- tokenizers


def unpacked(folder):
    """A copy of a data folder with its .gz files unpacked."""
    copy = Path(tempfile.mkdtemp())
    for file in folder.iterdir():
        if file.suffix == ".gz":
            (copy / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        else:
            shutil.copy(file, copy)
    return copy


def qwen2():
    copy = unpacked(DATA / "tokenizers/qwen2")
    tokenizer = Qwen2TokenizerFast.from_pretrained(copy).backend_tokenizer
    shutil.rmtree(copy)
    return tokenizer


def train(texts, pattern, size, special, min_frequency=0):
    """The tokenizer that train_byte_level_bpe writes, made by the library's own trainer."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=pattern == "llama3"))
    if pattern == "gpt2":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=special,
        min_frequency=min_frequency,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def llama3(texts):
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<pad>"]
    tokenizer = train(texts, "llama3", 1600, special)
    bos = special[0]
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(add_prefix_space=False, trim_offsets=True),
            processors.TemplateProcessing(
                single=f"{bos}:0 $A:0",
                pair=f"{bos}:0 $A:0 {bos}:1 $B:1",
                special_tokens=[(bos, tokenizer.token_to_id(bos))],
            ),
        ]
    )
    folder = OUT / "llama3"
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=bos,
        eos_token="<|end_of_text|>",
        pad_token="<pad>",
        clean_up_tokenization_spaces=False,
    )
    wrapped.save_pretrained(folder)
    again = AutoTokenizer.from_pretrained(folder)
    assert all(again(t).input_ids == tokenizer.encode(t).ids for t in texts[::7])
    return tokenizer


def byte_fallback(texts):
    """Llama-2's shape with byte tokens; some are missing, so that unknown tokens and bytes meet."""
    words = sorted({w for t in texts[:700] for w in t.split(" ") if w.isascii() and w.isalpha()})
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Replace(" ", "▁")
    trained.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    trained.train_from_iterator(
        [" " + w for w in words], trainers.BpeTrainer(vocab_size=500, show_progress=False)
    )
    model = json.loads(trained.to_str())["model"]
    missing = {0x00, 0x0C, 0xC3, 0xF0, 0xE4}
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256) if b not in missing] + ["<0x+F>"]
    tokens += [t for t in sorted(model["vocab"], key=model["vocab"].get) if t not in tokens]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={t: i for i, t in enumerate(tokens)},
            merges=[tuple(m) for m in model["merges"]],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> <s> $B </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in tokens[:3]])
    tokenizer.save(str(OUT / "byte_fallback/tokenizer.json"))
    return tokenizer


def oddities(texts):
    """Every option of the known components at once, with unknown characters and merges by string."""
    base = train(texts, "gpt2", 700, ["<s>"])
    model = json.loads(base.to_str())["model"]
    dropped = [t for t in model["vocab"] if len(t) == 1 and t in "ĀāĂ"]
    vocabulary = {
        t: i
        for i, t in enumerate(["<unk>"] + [t for t in model["vocab"] if not any(d in t for d in dropped)])
    }
    merges = [m for m in model["merges"] if "".join(m) in vocabulary]
    for syllable in SYLLABLES:  # words that no merge makes: ignore_merges finds them all the same
        vocabulary.setdefault("Ġ" + syllable + "sate", len(vocabulary))
    description = {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": [],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFD"},
                {
                    "type": "Sequence",
                    "normalizers": [
                        {"type": "Replace", "pattern": {"Regex": r"\s{2,}|[\x{300}-\u036f]"}, "content": " "}
                    ],
                },
                {"type": "Replace", "pattern": {"String": "N"}, "content": "n"},
            ],
        },
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"String": "."},
                    "behavior": "MergedWithPrevious",
                    "invert": False,
                },
                {
                    "type": "Split",
                    "pattern": {"Regex": r"[\p{Lu}\p{Nd}]"},
                    "behavior": "MergedWithNext",
                    "invert": False,
                },
                {"type": "Split", "pattern": {"Regex": r"\p{P}"}, "behavior": "Contiguous", "invert": False},
                {"type": "Split", "pattern": {"Regex": r"[^\t;]+"}, "behavior": "Removed", "invert": True},
                {"type": "Digits", "individual_digits": False},
                {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            ],
        },
        "post_processor": {
            "type": "Sequence",
            "processors": [
                {
                    "type": "TemplateProcessing",
                    "single": [
                        {"Sequence": {"id": "A", "type_id": 0}},
                        {"SpecialToken": {"id": "<s>", "type_id": 0}},
                    ],
                    "pair": [
                        {"Sequence": {"id": "A", "type_id": 0}},
                        {"Sequence": {"id": "B", "type_id": 0}},
                    ],
                    "special_tokens": {"<s>": {"id": "<s>", "ids": [1, 2], "tokens": ["<s>", "!"]}},
                }
            ],
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"Regex": "Ġ+"}, "content": "Ġ"},
                {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
                {"type": "Strip", "content": " ", "start": 2, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": vocabulary,
            "merges": [" ".join(m) for m in merges],
        },
    }
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.add_tokens(
        [
            AddedToken("[WORD]", single_word=True, normalized=False),
            AddedToken("[LEFT]", lstrip=True),
            AddedToken("[RIGHT]", rstrip=True, normalized=False),
            AddedToken("[BOTH]", lstrip=True, rstrip=True),
            AddedToken("[NORM]", normalized=True),
            AddedToken("[plain]", normalized=False),
            AddedToken("ba", single_word=True),
            AddedToken("abe"),
            AddedToken("<s>", special=True),
            AddedToken("<s>ba", special=True, normalized=True),
        ]
    )
    (OUT / "oddities").mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(OUT / "oddities/tokenizer.json"))
    tokenizer.no_truncation()
    return tokenizer


def trainer_cases(texts):
    cases = [("gpt2", 1200, 0), ("gpt2", 100000, 3), ("llama3", 900, 0)]
    r = random.Random(3)
    rows = []
    for letters in ("a", "ab", "ab", "abc", "abc"):  # words of few letters: overlapping pairs and many ties
        texts_of_letters = ["".join(r.choice(letters) for _ in range(r.randint(1, 60))) for _ in range(30)]
        rows.append(
            {
                "texts": texts_of_letters,
                "pattern": "gpt2",
                "size": 400,
                "min_frequency": 0,
                "merges": merges_of(train(texts_of_letters, "gpt2", 400, ["<s>"])),
            }
        )
    rows += [
        {
            "texts": "lines",
            "pattern": p,
            "size": s,
            "min_frequency": f,
            "merges": merges_of(train(texts, p, s, ["<s>"], f)),
        }
        for p, s, f in cases
    ]
    corpus = (DATA / "tokenizers/bpe-train-reference/corpus.en").read_text()
    merges = merges_of(train([corpus], "gpt2", 3000, ["<|endoftext|>"]))
    rows.append({"texts": "corpus.en", "pattern": "gpt2", "size": 3000, "min_frequency": 0, "merges": merges})
    write_gzip(OUT / "trainer.jsonl.gz", rows)


NEIGHBOURS = [
    ("", ""),
    ("e", "\u0323\u0301"),
    ("a\u0301", "\u0323"),
    ("\u1100", "\u11a8"),
    ("\U00011935", ""),
]


def unicode_case():
    points = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    classes = {}
    for expression in (
        r"\p{L}",
        r"\p{N}",
        r"\s",
        r"\S",
        r"\P{L}",
        r"\P{N}",
        r"[^\s\p{L}\p{N}]",
        r"[\p{L}\s]",
        r"[^\S\n]",
    ):
        split = pre_tokenizers.Split(Regex(expression), "removed")
        matched = set(points) - set("".join(piece for piece, _ in split.pre_tokenize_str("".join(points))))
        classes[expression] = sha256("".join(sorted(matched)))
    forms = {}
    for name in ("NFC", "NFD", "NFKC", "NFKD"):
        normalize = getattr(normalizers, name)().normalize_str
        forms[name] = sha256(
            "".join(normalize(before + c + after) + "\n" for c in points for before, after in NEIGHBOURS)
        )
    path = OUT / "unicode.json"
    path.write_text(json.dumps({"classes": classes, "forms": forms}, indent=1) + "\n")


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def merges_of(tokenizer):
    return json.loads(tokenizer.to_str())["model"]["merges"]


def main():
    logging.disable(logging.WARNING)
    lines = make_lines()
    assert len(lines) >= 2000
    write_gzip(OUT / "lines.jsonl.gz", [l if isinstance(l, str) else {"hex": l.hex()} for l in lines])
    texts = [text_of(l) for l in lines]
    trainer_cases(texts)
    unicode_case()
    for made in ("llama3", "byte_fallback"):
        (OUT / made).mkdir(parents=True, exist_ok=True)
    golden("llama3", llama3(texts), lines)
    golden("byte_fallback", byte_fallback(texts), lines)
    golden("oddities", oddities(texts), lines)
    golden("tinystories", Tokenizer.from_file(str(DATA / "weights-tinystories-656k/tokenizer.json")), lines)
    for name, folder in (("gpt2", "gpt2"), ("smollm2", "smollm2-135m-instruct")):
        packed = (DATA / "tokenizers" / folder / "tokenizer.json.gz").read_bytes()
        golden(name, Tokenizer.from_str(gzip.decompress(packed).decode()), lines)
    golden("qwen2", qwen2(), lines)


if __name__ == "__main__":
    main()
