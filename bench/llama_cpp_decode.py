"""Decoding by llama.cpp's Python package: a random Llama folder becomes GGUF in bfloat16, then greedy steps."""

import ctypes
import json
import os
import time
from pathlib import Path

import numpy as np

PROMPT = 32


def to_gguf(folder: Path):
    """folder/policy -> folder/policy.gguf, once. Rows of q and k go to llama.cpp's order of rotation."""
    import gguf
    from safetensors import safe_open

    out = folder / "policy.gguf"
    if out.exists():
        return out
    config = json.loads((folder / "policy" / "config.json").read_text())
    heads, key_heads = config["num_attention_heads"], config["num_key_value_heads"]
    vocabulary, width = config["vocab_size"], config["hidden_size"]
    writer = gguf.GGUFWriter(str(out) + ".part", "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(width)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(key_heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(width // heads)
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("llama")
    tokens = [b"<unk>", b"<s>", b"</s>"] + [f"<0x{i:02X}>".encode() for i in range(256)]
    tokens += [f"t{i}".encode() for i in range(vocabulary - len(tokens))]
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * vocabulary)
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * (vocabulary - 259))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    kind = gguf.GGMLQuantizationType.BF16
    writer.add_file_type(32)
    weights = safe_open(folder / "policy" / "model.safetensors", "np")

    def put(name, x, count=0):
        if count:
            x = x.reshape(count, 2, x.shape[0] // count // 2, x.shape[1]).swapaxes(1, 2).reshape(x.shape)
        if x.ndim == 1:
            writer.add_tensor(name, x.astype(np.float32))
        else:
            writer.add_tensor(name, gguf.quants.quantize(x.astype(np.float32), kind), raw_dtype=kind)

    put("token_embd.weight", weights.get_tensor("model.embed_tokens.weight"))
    put("output_norm.weight", weights.get_tensor("model.norm.weight"))
    names = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
             "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
             "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
    for layer in range(config["num_hidden_layers"]):
        for theirs, ours in names.items():
            put(f"blk.{layer}.{theirs}.weight", weights.get_tensor(f"model.layers.{layer}.{ours}.weight"),
                {"attn_q": heads, "attn_k": key_heads}.get(theirs, 0))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    Path(str(out) + ".part").rename(out)
    return out


def rates(folder, batch, new, steps):
    import llama_cpp as llama

    @ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    def quiet(*_):
        pass

    path = to_gguf(Path(folder))
    llama.llama_log_set(quiet, None)
    llama.llama_backend_init()
    model = llama.llama_model_load_from_file(str(path).encode(), llama.llama_model_default_params())
    options = llama.llama_context_default_params()
    options.n_ctx, options.n_batch, options.n_seq_max = batch * (PROMPT + new) + 64, 2048, batch
    options.n_threads = options.n_threads_batch = os.cpu_count()
    if hasattr(options, "kv_unified"):
        options.kv_unified = False
    context = llama.llama_init_from_model(model, options)
    vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
    work = llama.llama_batch_init(2048, 0, 1)
    generator = np.random.default_rng(0)

    def decode(tokens, positions, sequences, wanted):
        work.n_tokens = len(tokens)
        for i, (token, position, sequence, want) in enumerate(zip(tokens, positions, sequences, wanted)):
            work.token[i], work.pos[i], work.logits[i] = int(token), int(position), int(want)
            work.n_seq_id[i], work.seq_id[i][0] = 1, int(sequence)
        assert llama.llama_decode(context, work) == 0

    measured = []
    for _ in range(steps):
        llama.llama_memory_clear(llama.llama_get_memory(context), True)
        places = [(s, p) for s in range(batch) for p in range(PROMPT)]
        decode(generator.integers(3, vocabulary, len(places)), [p for _, p in places], [s for s, _ in places],
               [p == PROMPT - 1 for _, p in places])
        llama.llama_synchronize(context)
        tokens = generator.integers(3, vocabulary, batch)
        began = time.perf_counter()
        for step in range(new):
            decode(tokens, [PROMPT + step] * batch, range(batch), [1] * batch)
            llama.llama_synchronize(context)
            for i in range(batch):
                logits = np.ctypeslib.as_array(llama.llama_get_logits_ith(context, i), shape=(vocabulary,))
                tokens[i] = int(logits.argmax())
        measured.append(batch * new / (time.perf_counter() - began))
    return measured
