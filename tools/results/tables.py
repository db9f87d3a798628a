"""The tables of docs/results/positive-reviews.md: what stands between its markers is replaced, the rest is kept."""
import re

JUDGES = {"judge": "neural judge", "tfidf": "TF-IDF judge"}


def points(figure):
    """A difference of rates with its interval, in points."""
    return f"{100 * figure['mean']:+.1f} [{100 * figure['low']:+.1f}, {100 * figure['high']:+.1f}]"


def percent(figure):
    return f"{100 * figure['mean']:.1f} %"


def yes(value):
    return "yes" if value else "**no**"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def gates(result):
    return table(["gate", "needed", "mean of the seeds", "passed", "worst seed", "passed"],
                 [[g["gate"], f"{g['least']:.2f}", f"{g['mean']:.3f}", yes(g["mean_passed"]), f"{g['worst']:.3f}",
                   yes(g["passed"])] for g in result["gates"]])


def targets(result):
    return table(["target at beta 0.1", "measured", "met"],
                 [[t["target"], f"{t['measured']:.3f}", yes(t["met"])] for t in result.get("targets", [])])


def arms(result):
    head = ["arm", "seeds", "KL (nats)"]
    for judge in JUDGES.values():
        head += [f"{judge}: positive", "over SFT", "over best-of-4"]
    head += ["NLL a token", "distinct-2", "length"]
    rows = []
    for arm in result["arms"]:
        row = [arm["arm"], str(arm["seeds"]), f"{arm['kl']:.2f}"]
        for judge in JUDGES:
            row += [percent(arm[f"{judge}_rate"]), points(arm[f"{judge}_over_sft"]),
                    points(arm[f"{judge}_over_best_of_4"])]
        rows.append(row + [f"{100 * arm[name]:+.1f} %" for name in ("nll", "distinct_2", "length")])
    return table(head, rows)


def best_of(result):
    return table(["best of", "KL (nats)", *JUDGES.values()],
                 [[str(b["n"]), f"{b['kl']:.2f}", *(percent(b[judge]) for judge in JUDGES)]
                  for b in result["best_of"]])


def controls(result):
    return table(["control", "judge", "must", "gain over SFT (points)", "KL", "passed"],
                 [[c["control"], JUDGES[c["judge"]], c["must"], f"{100 * c['gain']:+.1f}", f"{c['kl']:.3f}",
                   yes(c["passed"])] for c in result["controls"]])


def tuning(result):
    return table(["setting", "half", "accuracy", "AUC", "held-out"],
                 [[t["what"], t["half"], f"{100 * t['accuracy']:.1f} %", f"{t['auc']:.3f}",
                   f"{100 * t['held_out']:.1f} %" if "held_out" in t else ""] for t in result["tuning"]])


def examples(seeds):
    """The kept samples of the first seed: chosen by position, not by score."""
    quoted = lambda e: f"- *{e['prompt']}*{e['completion']}".replace("\n", " ")
    parts = []
    for arm in ("sft", "beta-0.1", "beta-0"):
        if arm in seeds[0]["arms"]:
            parts.append(f"**{arm}**\n\n" + "\n".join(quoted(e) for e in seeds[0]["arms"][arm]["examples"][:6]))
    return "\n\n".join(parts)


def write(page, result, seeds):
    text = page.read_text(encoding="utf-8")
    made = {"gates": gates(result), "targets": targets(result), "arms": arms(result), "best-of": best_of(result),
            "controls": controls(result), "tuning": tuning(result), "examples": examples(seeds)}
    for name, content in made.items():
        pattern = rf"(<!-- {name} -->\n).*?\n?(<!-- end -->)"
        text, count = re.subn(pattern, lambda m: m[1] + content + "\n" + m[2], text, flags=re.S)
        if count != 1:
            raise SystemExit(f"[{page}] expected the markers <!-- {name} --> and <!-- end --> once, got {count}")
    page.write_text(text, encoding="utf-8")
