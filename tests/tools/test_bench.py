"""The benchmark's own arithmetic: FLOPs against a count by hand, rounds, merging, shares, precision's verdict."""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import curves  # noqa: E402
import flops  # noqa: E402
import machine  # noqa: E402
import models  # noqa: E402
import page  # noqa: E402
import plot  # noqa: E402
import precision  # noqa: E402
import rounds  # noqa: E402
import shares  # noqa: E402
from session import Session, parser  # noqa: E402
from session import shares as matrix_shares  # noqa: E402
from tasks import TASKS, Task, phases  # noqa: E402

SMALL = models.shape(4, 2, 2, 6, 10, key_heads=1)


def count_products(lengths, head=True):
    """Multiplications and additions of a forward pass of SMALL, product by product and key by key."""
    total = 0
    for n in lengths:
        for _ in range(SMALL["num_hidden_layers"]):
            for rows, columns in ((4, 4), (4, 2), (4, 2), (4, 4), (4, 6), (4, 6), (6, 4)):  # q k v o gate up down
                total += 2 * n * rows * columns
            for query in range(n):
                for _ in range(query + 1):  # the keys it sees; two heads of width 2: scores, then values
                    total += 2 * (2 * 2) + 2 * (2 * 2)
        total += 2 * (n - 1) * 4 * 10 if head else 0
    return total


def test_a_training_step_is_three_forward_passes_counted_by_hand():
    assert flops.sft(SMALL, [5, 3]) == 3 * count_products([5, 3])


def test_torch_counts_the_same_products():
    """torch's counter sees whole squares of scores, so attention is compared as squares."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    shape = models.SHAPES["tiny"]
    model = LlamaForCausalLM(models.config("tiny", attn_implementation="eager"))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.arange(24)[None])
    angles = 2 * 8 * 24  # of the rotation: positions by frequencies, a product in transformers
    assert counter.get_total_flops() == flops.forward(shape, 24, 24 * 24, 24) + angles


def test_a_shared_prompt_counts_once():
    alone = flops.tree(SMALL, 3, [2], head=True)
    prompt = flops.forward(SMALL, 3, flops.seen(3), 0)
    assert flops.tree(SMALL, 3, [2, 2], head=True) == 2 * alone - prompt
    assert alone == count_products([5], head=False) + 2 * 2 * 4 * 10


def test_dpo_is_a_training_pass_and_the_references():
    # A prompt of three that two completions of two share: rows see 1 to 5 keys, the last two twice.
    keys = 1 + 2 + 3 + 2 * (4 + 5)
    blocks = 2 * (7 * 2 * (2 * 16 + 2 * 8 + 3 * 24) + 4 * 4 * keys)
    assert flops.dpo(SMALL, [(3, 2, 2)]) == 4 * (blocks + 2 * 4 * 4 * 10)


def test_ppo_and_generation_are_sums_of_passes():
    head, without = (flops.tree(SMALL, 3, [2, 2], head) for head in (True, False))
    # Rollout, policy, reference; reward, value; two epochs of policy and value, three passes each.
    assert flops.ppo(SMALL, [3], 2, 2, 2) == 3 * head + 2 * without + 2 * 3 * (head + without)
    # One new token needs the prompt and one row of the head.
    assert flops.generate(SMALL, [3], 1, 1) == count_products([3], head=False) + 2 * 4 * 10


def test_the_format_that_auto_takes_is_the_programs():
    source = (ROOT / "src/keel/tensors/precision.cpp").read_text()
    assert int(re.search(r"kNarrow = (\d+);", source).group(1)) == flops.NARROW
    tiny = models.SHAPES["tiny"]
    assert flops.format_used("auto", SMALL, True) == flops.format_used("auto", tiny, False) == "float32"
    assert flops.format_used("auto", tiny, True) == "bfloat16"
    amd, intel = "vendor_id: AuthenticAMD flags: avx512_bf16", "vendor_id: GenuineIntel flags: avx512_bf16"
    for info, kind, faster in [(amd, "sft", True), (intel, "sft", False), (intel, "generate", True),
                               (intel + " amx_tile", "sft", True), ("vendor_id: AuthenticAMD", "generate", False)]:
        assert machine.bfloat16_is_faster(kind, info) == faster


def test_disturbed_rounds_are_tried_again_in_turn_and_at_most_so_often():
    calls = []

    def measure(point):
        calls.append(point)
        bad = point == "busy" or (point == "once" and calls.count("once") == 1)
        return len(calls), "noise" if bad else None

    kept, disturbed = rounds.interleaved(["calm", "once", "busy"], 2, 4, measure)
    assert calls == ["calm", "once", "busy"] * 2 + ["once", "busy", "busy"]
    assert [len(kept[p]) for p in ("calm", "once", "busy")] == [2, 2, 0]
    assert [len(disturbed[p]) for p in ("calm", "once", "busy")] == [0, 1, 4]


@pytest.mark.parametrize(
    "after, others, said",
    [(100, 0.0, None), (109, 0.04, None), (89, 0.0, "100 to 89"), (111, 0.0, "100 to 111"), (100, 0.06, "6%")],
)
def test_what_disturbs_a_round(after, others, said):
    before, last = ({kind: {"median": rate, "best": rate} for kind in machine.FORMATS} for rate in (100, after))
    found = machine.complaint(before, last, others)
    assert found is None if said is None else said in found


def test_merging_keeps_what_was_not_measured_now():
    old = [{"task": "a", "keel": [1]}, {"task": "b", "keel": [1]}, {"task": "gone", "keel": [1]}]
    new = [{"task": "b", "keel": []}, {"task": "c", "keel": []}, {"task": "a", "keel": [2]}]
    assert rounds.merged(old, new, "task", ["c", "a", "b"]) == [
        {"task": "c", "keel": []},
        {"task": "a", "keel": [2]},
        {"task": "b", "keel": [1]},
    ]


def result(task, keel, peer, gigabytes=(1.0, 4.0)):
    return {
        "task": task,
        "unit": "useful tokens/s",
        "targets": {"float32": 5.0},
        "memory": {"float32": 0.2},
        "format": "float32",
        "flops": 2e9,
        "keel": [{"rate": r, "peak_gb": gigabytes[0]} for r in keel],
        "peers": {"float32": [{"rate": r, "peak_gb": gigabytes[1]} for r in peer]},
        "products": [{"float32": 100.0, "bfloat16": 200.0}] * len(keel),
        "commands": {"keel": "keel sft"},
        "measured": {
            "date": "2026-01-02",
            "commit": "abc",
            "machine": "m",
            "versions": "v",
            "rounds": len(keel),
            "wanted": 3,
            "attempts": 9,
            "disturbed": ["others"],
            "kept_disturbed": False,
        },
    }


def test_ratios_are_of_the_same_round_and_verdicts_of_their_median():
    (row,) = page.task_rows(result("t", [10, 30, 12], [2, 5, 3]))
    assert "| 5.00 (4–6) | ≥ 5.0 | yes | 24% of float32 |" in row
    assert "**no**" in page.task_rows(result("t", [10, 20, 12], [2, 5, 3]))[0]
    assert "no undisturbed round" in page.task_rows(result("t", [], []))[0]
    assert "| 0.25 (0.25) | ≤ 0.2 | **no** |" in page.memory_rows(result("t", [1, 1], [1, 1]))[0]


def test_a_missed_target_is_shown_with_the_breakdown_of_its_time():
    short = result("short", [10, 30, 12], [4, 9, 3]) | {"shares": {"other": 0.25, "products": 0.7, "optimizer": 0.004}}
    assert page.miss_sections([result("met", [10], [2])]) == []
    text = "\n".join(page.miss_sections([result("met", [10], [2]), short]))
    assert "**short** (3.33 of float32, wanted 5.0). Not explained yet." in text and "met" not in text
    assert "Time: products 70%, other 25%." in text


def test_a_share_is_of_the_rate_around_its_round():
    assert matrix_shares(result("t", [25], [1])) == [0.5]


def test_the_page_holds_tasks_and_curves(tmp_path):
    session = Session(parser("").parse_args(["--docs", str(tmp_path)]))
    session.write("benchmarks.json", [result("the task", [10, 12], [2, 3])])
    run = result("p", [5, 7], [])
    timing = {"tokens_per_second": 9, "matrix_rate_share": 0.5, "gradient": 0.9, "optimizer": 0.06}
    run["keel"][0]["phases"] = phases([{"timing": timing}, {"timing": timing | {"gradient": 0.8}}])
    point = run | {"x": 64, "peers": {}, "shares": {"products": 0.7, "other": 0.001}}
    session.write("scaling.json", [{"curve": "length", "points": [point], "keel": True}])
    page.write(session)
    text = (tmp_path / "BENCHMARKS.md").read_text()
    assert "| the task | float32 |" in text and "| the task | 2026-01-02 | abc | 2 of 3 | 1 | 9 |" in text
    assert "| 64 | 6 (5–7) | 12.0% (10.0%–14.0%) |" in text and "| products | 70 |" in text
    assert "| other |" not in text
    assert "| a step's time, % | gradient | optimizer |" in text and "| 64 | 85 | 6 |" in text


def test_every_task_and_point_has_its_own_name_and_a_model():
    every = TASKS + [task for curve in curves.CURVES for task in curve.points.values()]
    assert len({task.name for task in every}) == len(every) == len(set(every))
    assert all(isinstance(task, Task) and task.model in models.SHAPES for task in every)
    for curve in curves.CURVES:
        assert set(curve.profiled) <= set(curve.points), curve.name


def test_samples_are_grouped_by_kind_of_work():
    report = """# Overhead|Shared Object|Symbol
 60.00% |[JIT] tid 1 |[.] jit_brgemm_kernel_t.23
 10.00% |[JIT] tid 1 |[.] jit_brgemm_matmul_copy_b_bf16_t.2
  8.00% |keel        |[.] keel::avx512bf16::(anonymous namespace)::softmax_block<unsigned short>
  7.00%|keel|[.] keel::ThreadTeam::barrier
  5.00% |libtorch_cpu.so |[.] at::native::add_kernel   |-|-
  4.00% |[kernel.kallsyms] |[k] clear_page_erms
"""
    found = {group: round(100 * share) for group, share in shares.grouped(report).items() if share}
    assert found == {
        "products": 60,
        "packing for products": 10,
        "attention but its products": 8,
        "waiting for the other core": 7,
        "the rest of libtorch": 5,
        "new pages of memory": 4,
    }


def test_a_drawing_is_xml_with_its_lines():
    text = plot.svg({"Keel": {64: [10, 20], 128: [30]}, "TRL & co": {64: [1]}}, "tokens", "rate", name=str)
    drawn = ElementTree.fromstring(text)
    tag = "{http://www.w3.org/2000/svg}"
    assert len(drawn.findall(f"{tag}polyline")) == 2 and len(drawn.findall(f"{tag}circle")) == 3
    heights = [float(circle.get("cy")) for circle in drawn.findall(f"{tag}circle")]
    assert heights[1] < heights[0] < heights[2]  # more is higher up


def test_loss_is_within_noise_when_the_difference_is_smaller_than_the_seeds():
    def runs(*losses):
        return [{"losses": [loss] * 10, "held_out": loss} for loss in losses]

    close = {"runs": {"float32": runs(1.0, 1.1, 1.2), "bfloat16": runs(1.01, 1.1, 1.22)}}
    far = {"runs": {"float32": runs(1.0, 1.1, 1.2), "bfloat16": runs(1.2, 1.3, 1.4)}}
    assert precision.row(close, "held-out loss at the end").endswith("| +0.01000 ± 0.02484 | 0.10000 | yes |")
    assert precision.row(far, "held-out loss at the end").endswith("| **no** |")
    assert precision.interval([1.0, 1.1, 1.2])[1] == pytest.approx(4.303 * 0.1 / 3**0.5)


def test_where_the_losses_part():
    def run(change, size):
        losses = [5.0] * 10 + [5.0 + change] * 10 + [5.0 + size] * 20
        return {"losses": losses, "held_out": 5}

    result = {"runs": {"float32": [run(0, 0)] * 2, "bfloat16": [run(-0.3, 0.01), run(-0.1, 0.03)]}}
    assert "at steps 11 to 20 (-0.2000); over the second half by +0.02000" in precision.gap(result)


def test_stored_results_are_of_this_form():
    """docs/results is what the page is made of."""
    for name, key in (("benchmarks.json", "task"), ("scaling.json", "curve")):
        path = ROOT / "docs" / "results" / name
        if path.exists():
            assert all(key in one and "keel" in one for one in json.loads(path.read_text()))
