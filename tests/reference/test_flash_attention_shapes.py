"""What torch says of the flash attention that src/keel/tensors/varlen_attention.cpp calls on CUDA.

Torch's own shape functions, over tensors without values: no GPU is needed, and no number is looked at. They
hold the adaptor to the layout of the log-sum-exp, which is the one thing that its signature does not say.
"""

import torch

HEADS, KEY_HEADS, WIDTH = 4, 2, 8


def arguments():
    """Two ranges, of 5 and 4 queries against 2 and 7 keys."""
    tensor = lambda rows, heads: torch.empty(rows, heads, WIDTH, dtype=torch.bfloat16, device="meta")
    starts = lambda: torch.empty(3, dtype=torch.int32, device="meta")
    q, k, v = tensor(9, HEADS), tensor(9, KEY_HEADS), tensor(9, KEY_HEADS)
    return q, k, v, starts(), starts()


def forward(q, k, v, query_starts, key_starts):
    return torch.ops.aten._flash_attention_forward(
        q, k, v, query_starts, key_starts, 5, 7, 0.0, False, False, scale=0.5
    )


def test_the_log_sum_exp_is_a_row_for_each_head():
    q, k, v, *starts = arguments()
    out, lse, generator, unused, _ = forward(q, k, v, *starts)
    assert out.shape == q.shape and out.dtype == q.dtype
    assert lse.shape == (HEADS, 9) and lse.dtype == torch.float32
    assert generator.shape == (2,) and generator.dtype == torch.uint64 and unused.shape == ()


def test_the_way_back_takes_it_so():
    q, k, v, *starts = arguments()
    out, lse, generator, unused, _ = forward(q, k, v, *starts)
    gradients = torch.ops.aten._flash_attention_backward(
        out, q, k, v, out, lse, *starts, 5, 7, 0.0, False, generator, unused, scale=0.5
    )
    assert [g.shape for g in gradients] == [q.shape, k.shape, v.shape]
