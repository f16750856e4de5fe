"""Writes a GGUF file with random weights in the shape of Vicuna 7B, for timing: speeds do not depend on what the weights are.

    python Benchmarks/peers/write_random_gguf.py FILE --type q4_0|q8_0 [--layers N]

Both llama.cpp and `radialogctl model import gguf` read it. With q4_0 the head is q8_0, as in the bundles that radialogctl writes. Weights are drawn so that
variances are kept from layer to layer. The vocabulary is SentencePiece's in form: control and byte pieces, then made-up words.
"""
import argparse
import itertools
import math
import pathlib
import string
from collections.abc import Iterator

import gguf
import numpy as np

HIDDEN, FEED_FORWARD, HEADS, CONTEXT, VOCABULARY = 4096, 11008, 32, 4096, 32000
BLOCK = 32  # weights that share a scale, in both types
TYPES = {"q4_0": gguf.GGMLQuantizationType.Q4_0, "q8_0": gguf.GGMLQuantizationType.Q8_0}
FILE_TYPES = {"q4_0": gguf.LlamaFileType.MOSTLY_Q4_0, "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0}
# Standard deviation of the whole numbers a block stores: uniform in [-8, 7] and [-127, 127].
DEVIATIONS = {"q4_0": math.sqrt((16**2 - 1) / 12), "q8_0": math.sqrt((255**2 - 1) / 12)}


def matrices(kind: str, layers: int) -> Iterator[tuple[str, int, int, str, float]]:
    """(name, rows, columns, type, standard deviation of a weight) in the order of the file."""
    yield "token_embd", VOCABULARY, HIDDEN, kind, 1.0
    for layer in range(layers):
        for name, rows, columns in [
            ("attn_q", HIDDEN, HIDDEN), ("attn_k", HIDDEN, HIDDEN), ("attn_v", HIDDEN, HIDDEN), ("attn_output", HIDDEN, HIDDEN),
            ("ffn_gate", FEED_FORWARD, HIDDEN), ("ffn_up", FEED_FORWARD, HIDDEN), ("ffn_down", HIDDEN, FEED_FORWARD),
        ]:
            yield f"blk.{layer}.{name}", rows, columns, kind, 1 / math.sqrt(columns)
    yield "output", VOCABULARY, HIDDEN, "q8_0", 3 / math.sqrt(HIDDEN)


def norms(layers: int) -> Iterator[str]:
    for layer in range(layers):
        yield f"blk.{layer}.attn_norm"
        yield f"blk.{layer}.ffn_norm"
    yield "output_norm"


def blocks(source: np.random.Generator, rows: int, columns: int, kind: str, deviation: float) -> np.ndarray:
    """`[rows, columns / 32 * bytes of a block]`: an IEEE half as scale, then the numbers. Scales differ by a factor of 1.5 and in sign, so that
    q4_0, whose numbers have a mean of -1/2, has weights with a mean of zero."""
    count = rows * columns // BLOCK
    numbers = BLOCK // 2 if kind == "q4_0" else BLOCK
    result = np.empty((count, 2 + numbers), np.uint8)
    scale = source.uniform(0.8, 1.2, count) * source.choice((-1, 1), count) * deviation / DEVIATIONS[kind]
    result[:, :2] = scale.astype("<f2").view(np.uint8).reshape(count, 2)
    drawn = np.frombuffer(source.bytes(count * numbers), np.int8).reshape(count, numbers)
    # No quantiser writes -128.
    result[:, 2:] = drawn.view(np.uint8) if kind == "q4_0" else np.maximum(drawn, -127).view(np.uint8)
    return result.reshape(rows, -1)


def words(count: int) -> list[str]:
    """Every piece's parts are pieces too, so that texts are merged as they are with a trained vocabulary."""
    made = (mark + "".join(letters) for length in (1, 2, 3) for mark in ("", "▁") for letters in itertools.product(string.ascii_lowercase, repeat=length))
    return ["▁", *itertools.islice(made, count - 1)]


def add_vocabulary(writer: gguf.GGUFWriter) -> None:
    fixed = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces = fixed + words(VOCABULARY - len(fixed))
    kinds = gguf.TokenType
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(pieces)
    # BPE merges the pair with the best score first: longer pieces come later in the list, single ones are never merged into.
    writer.add_token_scores([0.0] * len(fixed) + [-float(index) for index in range(len(pieces) - len(fixed))])
    writer.add_token_types([kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL] + [kinds.BYTE] * 256 + [kinds.NORMAL] * (len(pieces) - len(fixed)))
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)


def add_shape(writer: gguf.GGUFWriter, kind: str, layers: int) -> None:
    writer.add_name(f"random {kind}")
    writer.add_file_type(FILE_TYPES[kind])
    writer.add_quantization_version(2)
    writer.add_vocab_size(VOCABULARY)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)


def write(path: pathlib.Path, kind: str, layers: int) -> None:
    """Tensor by tensor; no more than one is in memory."""
    source = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    add_shape(writer, kind, layers)
    add_vocabulary(writer)
    for name, rows, columns, stored, _ in matrices(kind, layers):
        width = columns // BLOCK * (18 if stored == "q4_0" else 34)
        writer.add_tensor_info(f"{name}.weight", (rows, width), np.dtype(np.uint8), rows * width, raw_dtype=TYPES[stored])
    for name in norms(layers):
        writer.add_tensor_info(f"{name}.weight", (HIDDEN,), np.dtype(np.float32), 4 * HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, rows, columns, stored, deviation in matrices(kind, layers):
        writer.write_tensor_data(blocks(source, rows, columns, stored, deviation))
    for _ in norms(layers):
        writer.write_tensor_data(np.ones(HIDDEN, np.float32))
    writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--type", choices=TYPES, required=True)
    parser.add_argument("--layers", type=int, default=32)
    options = parser.parse_args()
    write(options.file, options.type, options.layers)


if __name__ == "__main__":
    main()
