"""Writes the seeds of the fuzzer, small files that the readers accept: fixtures/fuzz/READER/seed-*. And those in which reading the code found a fault:
strides-of-one*, which ended the import before it was mended, and refused-*.

    python Fuzz/write_seeds.py [FOLDER]

Needs torch and safetensors. The tests read each seed without an error, and see each refused-* refused. Checkpoints are not reproducible byte for byte
(torch writes addresses and its version).
"""
import collections
import json
import pathlib
import struct
import sys

import torch
from safetensors.torch import save_file


# ---------------------------------------------------------------- checkpoints

def checkpoints(folder):
    matrix = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    one = {"weight": matrix, "bias": torch.tensor([1.5])}
    strided = collections.OrderedDict(
        t=matrix.t(), row=matrix[:, 1], e=torch.ones(2, 1).expand(2, 3), h=matrix.half(), b=matrix.bfloat16(), n=torch.tensor(3), p=torch.nn.Parameter(matrix))
    nested = {"epoch": 3, "state_dict": one, "lr": 0.1, "args": (1, None, True, [2, "x"])}
    view = torch.arange(8.0)[2:6]
    for name, value in [("one", one), ("strided", strided), ("nested", nested), ("view", {"view": view})]:
        torch.save(value, folder / f"seed-{name}.pt")
        torch.save(value, folder / f"seed-{name}-legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(one, folder / "seed-protocol4.pt", pickle_protocol=4)


    # An axis of one element may have any stride: nothing may be computed with it.
    base = torch.arange(6.0)
    inner = base.as_strided((3, 1), (2, 2**62 - 1))
    torch.save({"inner": inner, "outer": base.as_strided((2, 1, 2), (1, 2**63 - 1, 2))}, folder / "strides-of-one.pt")
    torch.save({"inner": inner}, folder / "strides-of-one-legacy.pt", _use_new_zipfile_serialization=False)


MARKS = "\u0301\u0316" * 16


def safetensors(folder):
    header = json.dumps({MARKS: {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}}).encode()
    (folder / "refused-marks.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**62, 2**62, 0], "data_offsets": [0, 0]}}).encode()
    (folder / "refused-shape.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    matrix = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    save_file({"a": matrix, "b": matrix.half(), "c": matrix.bfloat16(), "d": torch.arange(3), "e": torch.tensor(True), "f": torch.zeros(0, 4)},
              folder / "seed-types.safetensors", metadata={"format": "pt"})
    save_file({"x": torch.tensor([1.0])}, folder / "seed-one.safetensors")


# ---------------------------------------------------------------- GGUF

def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(data)) + data


NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}


def value(kind, content):
    return text(content) if kind == 8 else struct.pack(NUMBERS[kind], content)


def gguf(path, metadata, tensors, version=3, alignment=32):
    """metadata: key -> (type, value) or (9, type, values); tensors: name -> (type, shape, bytes)."""
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    for key, entry in metadata.items():
        out += text(key) + struct.pack("<I", entry[0])
        if entry[0] == 9:
            out += struct.pack("<IQ", entry[1], len(entry[2])) + b"".join(value(entry[1], element) for element in entry[2])
        else:
            out += value(*entry)
    offset = 0
    data = b""
    for name, (kind, shape, content) in tensors.items():
        out += text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", side) for side in reversed(shape))
        out += struct.pack("<IQ", kind, offset)
        padded = content + bytes(-len(content) % alignment)
        data += padded
        offset += len(padded)
    path.write_bytes(out + bytes(-len(out) % alignment) + data)


def llama(vocabulary):
    return {
        "general.architecture": (8, "llama"), "llama.block_count": (4, 1), "llama.context_length": (4, 32), "llama.embedding_length": (4, 4),
        "llama.feed_forward_length": (4, 8), "llama.attention.head_count": (4, 2), "llama.attention.head_count_kv": (4, 1),
        "llama.attention.layer_norm_rms_epsilon": (6, 1e-5), "llama.rope.freq_base": (6, 10000.0), "llama.rope.dimension_count": (4, 2),
        "llama.rope.scaling.type": (8, "linear"), "llama.rope.scaling.factor": (6, 2.0), "llama.vocab_size": (4, vocabulary),
    }


def tensors(vocabulary):
    def plain(*shape):
        count = 1
        for side in shape:
            count *= side
        return 0, shape, struct.pack(f"<{count}f", *[index / 8 for index in range(count)])
    return {
        "token_embd.weight": plain(vocabulary, 4), "output_norm.weight": plain(4), "rope_freqs.weight": plain(1),
        "blk.0.attn_norm.weight": plain(4), "blk.0.attn_q.weight": plain(4, 4), "blk.0.attn_k.weight": plain(2, 4), "blk.0.attn_v.weight": plain(2, 4),
        "blk.0.attn_output.weight": plain(4, 4), "blk.0.ffn_norm.weight": plain(4), "blk.0.ffn_gate.weight": plain(8, 4),
        "blk.0.ffn_up.weight": plain(8, 4), "blk.0.ffn_down.weight": plain(4, 8),
    }


PIECES = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)] + [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)] + [
    ("\u2581", -1.0, 1), ("e", -2.0, 1), ("t", -3.0, 1), ("\u2581t", -4.0, 1), ("he", -5.0, 1), ("h", -6.0, 1), ("\u2581the", -7.0, 1), ("\n\n", 0.0, 4)]


def alphabet():
    """GPT-2's, by byte."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    following = iter(range(0x100, 0x144))
    return [chr(byte) if byte in plain else chr(next(following)) for byte in range(256)]


BYTE_LEVEL = alphabet() + ["\u0120t", "he", "\u0120the", "12"]
MERGES = ["\u0120 t", "h e", "\u0120t he", "1 2"]


def ggufs(folder):
    count = len(PIECES)
    sentencepiece_keys = {
        "tokenizer.ggml.model": (8, "llama"), "tokenizer.ggml.tokens": (9, 8, [piece for piece, _, _ in PIECES]),
        "tokenizer.ggml.scores": (9, 6, [score for _, score, _ in PIECES]), "tokenizer.ggml.token_type": (9, 5, [kind for _, _, kind in PIECES]),
        "tokenizer.ggml.bos_token_id": (4, 1), "tokenizer.ggml.eos_token_id": (4, 2), "tokenizer.ggml.add_bos_token": (7, True)}
    gguf(folder / "seed-sentencepiece.gguf", {**llama(count), **sentencepiece_keys}, tensors(count))
    words = BYTE_LEVEL + ["<|end|>"]
    byte_level_keys = {
        "tokenizer.ggml.model": (8, "gpt2"), "tokenizer.ggml.pre": (8, "smollm"), "tokenizer.ggml.tokens": (9, 8, words),
        "tokenizer.ggml.token_type": (9, 5, [1] * len(BYTE_LEVEL) + [3]), "tokenizer.ggml.merges": (9, 8, MERGES),
        "tokenizer.ggml.eos_token_id": (4, len(words) - 1), "tokenizer.ggml.add_space_prefix": (7, False)}
    gguf(folder / "seed-byte-level.gguf", {**llama(len(words)), **byte_level_keys}, tensors(len(words)), version=2)
    gguf(folder / "refused-rope-blocks.gguf", {**llama(1), "llama.embedding_length": (4, 128), "llama.rope.dimension_count": (4, 64)},
         {"token_embd.weight": (8, (1, 128), bytes(136)), "rope_freqs.weight": (8, (32,), bytes(34))})
    gguf(folder / "refused-merges.gguf", {"tokenizer.ggml.model": (8, "gpt2"), "tokenizer.ggml.tokens": (9, 8, ["a"]), "tokenizer.ggml.scores": (9, 6, [0.0] * 99)}, {})
    kinds = {f"k{kind}": (kind, 1) for kind in NUMBERS} | {"s": (8, "text"), "general.alignment": (4, 64)}
    blocks = {"q4_0": (2, (2, 32), bytes(range(36))), "q8_0": (8, (1, 32), bytes(34)), "q4_k": (12, (1, 256), bytes(144)), "q6_k": (14, (1, 256), bytes(210)),
              "f16": (1, (2, 2), bytes(8)), "bf16": (30, (2,), bytes(4)), "scalar": (0, (), bytes(4))}
    gguf(folder / "seed-types.gguf", llama(1) | kinds | {f"a{kind}": (9, kind, [1, 0]) for kind in NUMBERS}, tensors(1) | blocks, alignment=64)


# ---------------------------------------------------------------- tokenizers

def number(value):
    """A protobuf varint."""
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def varint(tag, value):
    return number(tag << 3) + number(value)


def field(tag, content):
    return number(tag << 3 | 2) + number(len(content)) + content


def pieces(list):
    """ModelProto.pieces: sentencepiece_model.proto."""
    return b"".join(field(1, field(1, piece.encode()) + number(2 << 3 | 5) + struct.pack("<f", score) + varint(3, kind)) for piece, score, kind in list)


def tokenizers(folder):
    trainer = varint(3, 2) + varint(35, 1) + field(44, " ? ".encode())
    normalizer = field(1, b"identity") + varint(3, 1) + varint(4, 0)
    (folder / "seed-byte-fallback.model").write_bytes(pieces(PIECES) + field(2, trainer) + field(3, normalizer))
    (folder / "seed-small.model").write_bytes(pieces(PIECES[:3] + PIECES[259:]) + field(2, varint(3, 2)) + field(3, varint(4, 1)))

    (folder / "refused-signed-byte.model").write_bytes(pieces(PIECES[:3] + [("<0x+1>", 0.0, 6)]) + field(2, varint(3, 2)))
    (folder / "refused-steps.json").write_text('{"pre_tokenizer":{"type":"Sequence","pretokenizers":[' + ",".join(["{}"] * 9) + "]}}")

    file = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": len(BYTE_LEVEL), "content": "<|end|>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False,
                  "byte_fallback": False, "vocab": {token: index for index, token in enumerate(BYTE_LEVEL)}, "merges": MERGES}}
    (folder / "seed-digits.json").write_text(json.dumps(file, separators=(",", ":")))
    file["pre_tokenizer"] = file["pre_tokenizer"]["pretokenizers"][1]
    file["model"]["merges"] = [merge.split(" ") for merge in MERGES]
    file["model"]["unk_token"] = "12"
    (folder / "seed-plain.json").write_text(json.dumps(file, separators=(",", ":"), ensure_ascii=False))


# ---------------------------------------------------------------- JSON

def manifests(folder, root):
    """None is all three that the reader tries; each seed is valid as one."""
    (folder / "refused-marks.json").write_text(json.dumps({"peft_type": "L" + MARKS}, ensure_ascii=False))
    (folder / "refused-values.json").write_text("[" + "0," * 3000 + "0]")
    manifest = json.loads((root / "models/radialog-demo/manifest.json").read_text())
    (folder / "seed-manifest.json").write_text(json.dumps(manifest, separators=(",", ":")))
    manifest["language_model"]["rope_scaling"] = {
        "type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_context": 8192}
    manifest["image_encoder"]["projection"] = 64
    manifest["alignment"].update(
        architecture="q-former", input=64, queries=8, layers=2, hidden=64, heads=2, feed_forward=128, cross_attention_every=2,
        layer_norm_eps=1e-12, vision_norm_eps=1e-5)
    del manifest["alignment"]["hidden"]
    manifest["alignment"]["hidden"] = 64
    (folder / "seed-manifest-q-former.json").write_text(json.dumps(manifest, indent=1))
    (folder / "seed-adapter.json").write_text(json.dumps({
        "peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"], "modules_to_save": None, "bias": "none",
        "use_rslora": False, "fan_in_fan_out": False, "lora_dropout": 0.05, "inference_mode": True, "task_type": "CAUSAL_LM", "rank_pattern": {}}))
    (folder / "seed-llama.json").write_text(json.dumps({
        "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 256, "vocab_size": 512, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5,
        "rope_theta": 1e4, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0}, "tie_word_embeddings": False}))


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "fixtures/fuzz"
    for name, write in [("checkpoint", checkpoints), ("safetensors", safetensors), ("gguf", ggufs), ("tokenizer", tokenizers),
                        ("manifest", lambda place: manifests(place, root))]:
        (folder / name).mkdir(parents=True, exist_ok=True)
        write(folder / name)


main()
