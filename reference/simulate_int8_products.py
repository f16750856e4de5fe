"""What products with full int8 tiles would cost in accuracy: perplexity and divergence of a small LLaMA, simulated in PyTorch.

    python reference/simulate_int8_products.py MODEL.gguf TEXT --radialogctl .build/release/radialogctl [--windows 8] [--type q4_0]

Needs a Python with torch, numpy and gguf. MODEL: SmolLM2-135M (rows of 576), widened to f32, then rounded to --type as ggml does. Whole numbers in a tile want one scale for
all its columns, which ggml's blocks of 32 do not give, so x and weights are rounded again:

    w G    weights to bytes with a scale for each output and G columns (0: as they are, "row": all columns)
    x G    x to bytes with a scale for each row and G columns
    row T  x to bytes with a scale for each row, T times its root mean square to 127; what is larger keeps the same step in a second byte. The last two columns
           say how many units of 64 columns want that second byte: of single rows, and of tiles of sixteen rows

A line: perplexity by that of exact products, and the mean Kullback-Leibler divergence from its predictions. Rows 256 to 510 of each window of 512 count.
"""
import argparse
import json
import math
import pathlib
import subprocess
import tempfile

import gguf
import numpy as np
import torch

Tensor = torch.Tensor


def groups(x: Tensor, length: int) -> Tensor:
    """Columns in groups, zeros behind the last."""
    x = torch.nn.functional.pad(x, (0, -x.shape[-1] % length))
    return x.reshape(*x.shape[:-1], -1, length)


def in_steps(x: Tensor, step: Tensor) -> Tensor:
    return torch.nan_to_num(torch.round(x / step) * step)


def as_ggml(w: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """Whole numbers and scales of blocks of 32."""
    blocks = groups(w, 32)
    if kind == "q4_0":
        d = blocks.gather(-1, blocks.abs().argmax(-1, keepdim=True)) / -8
        inverse = torch.where(d != 0, 1 / d, 0.0)
        return torch.clamp(torch.floor(blocks * inverse + 8.5), 0, 15) - 8, d.half().float()
    d = blocks.abs().amax(-1, keepdim=True) / 127
    return torch.round(blocks * torch.where(d != 0, 1 / d, 0.0)), d.half().float()


class Variant:
    """How weights and x are rounded."""

    def __init__(self, weights: int | str = 0, x: int = 0, row: float = 0):
        self.weights, self.x, self.row = weights, x, row
        self.second_byte = torch.zeros(4)

    def __str__(self) -> str:
        return f"w {self.weights:>4}, " + (f"row {self.row:g}" if self.row else f"x {self.x:>4}")

    def of_weights(self, w: Tensor, kind: str) -> Tensor:
        q, d = as_ggml(w, kind)
        exact = (q * d).reshape(w.shape)
        if not self.weights:
            return exact
        length = w.shape[1] if self.weights == "row" else self.weights
        reach = groups((d * (8 if kind == "q4_0" else 127)).abs().expand_as(q).reshape(w.shape), length).amax(-1, keepdim=True)
        return in_steps(groups(exact, length), reach / 127).reshape(w.shape[0], -1)[:, :w.shape[1]]

    def of_x(self, x: Tensor) -> Tensor:
        if self.row:
            step = (x * x).mean(-1, keepdim=True).sqrt() * self.row / 127
            large = groups(x, 64).abs().amax(-1) > 127.5 * step
            tiles = large[:large.shape[0] // 16 * 16].reshape(-1, 16, large.shape[-1]).any(1)
            self.second_byte += torch.tensor([large.sum(), large.numel(), tiles.sum(), tiles.numel()])
            return in_steps(x, step)
        if not self.x:
            return x
        parts = groups(x, self.x)
        return in_steps(parts, parts.abs().amax(-1, keepdim=True) / 127).reshape(*x.shape[:-1], -1)[..., :x.shape[-1]]


class Model:
    def __init__(self, path: str, kind: str):
        reader = gguf.GGUFReader(path)
        field = lambda name: reader.fields[f"llama.{name}"].parts[-1][0]
        self.layers, self.heads, self.kv_heads = int(field("block_count")), int(field("attention.head_count")), int(field("attention.head_count_kv"))
        self.base, self.epsilon, self.kind = float(field("rope.freq_base")), float(field("attention.layer_norm_rms_epsilon")), kind
        self.source = {
            t.name: torch.from_numpy(gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32).reshape([int(n) for n in reversed(t.shape)]))
            for t in reader.tensors}

    def load(self, variant: Variant) -> None:
        self.variant = variant
        self.weights = {n: variant.of_weights(w, self.kind) if w.dim() == 2 and "token_embd" not in n else w for n, w in self.source.items()}
        embedding = self.source["token_embd.weight"]  # in q8_0, and the head too
        self.weights["token_embd.weight"] = Variant().of_weights(embedding, "q8_0")
        self.weights["head"] = variant.of_weights(embedding, "q8_0")

    def norm(self, x: Tensor, name: str) -> Tensor:
        return self.variant.of_x(x * torch.rsqrt((x * x).mean(-1, keepdim=True) + self.epsilon) * self.weights[name])

    def rotate(self, x: Tensor) -> Tensor:
        half = x.shape[-1] // 2
        angles = torch.arange(x.shape[-2]).double()[:, None] * self.base ** (-torch.arange(half).double() / half)
        c, s, even, odd = angles.cos().float(), angles.sin().float(), x[..., 0::2], x[..., 1::2]
        return torch.stack((even * c - odd * s, even * s + odd * c), -1).flatten(-2)

    def logits(self, tokens: Tensor) -> Tensor:
        w, n = self.weights, len(tokens)
        x = w["token_embd.weight"][tokens]
        mask = torch.full((n, n), -math.inf).triu(1)
        for layer in range(self.layers):
            name = f"blk.{layer}."
            h = self.norm(x, name + "attn_norm.weight")
            q, k, v = ((h @ w[f"{name}attn_{part}.weight"].T).view(n, heads, -1).transpose(0, 1)
                       for part, heads in (("q", self.heads), ("k", self.kv_heads), ("v", self.kv_heads)))
            q, k, v = self.rotate(q), self.rotate(k).repeat_interleave(self.heads // self.kv_heads, 0), v.repeat_interleave(self.heads // self.kv_heads, 0)
            mixed = (torch.softmax(q @ k.transpose(1, 2) / math.sqrt(q.shape[-1]) + mask, -1) @ v).transpose(0, 1).reshape(n, -1)
            x = x + self.variant.of_x(mixed) @ w[name + "attn_output.weight"].T
            h = self.norm(x, name + "ffn_norm.weight")
            gated = torch.nn.functional.silu(h @ w[name + "ffn_gate.weight"].T) * (h @ w[name + "ffn_up.weight"].T)
            x = x + self.variant.of_x(gated) @ w[name + "ffn_down.weight"].T
        return self.norm(x, "output_norm.weight") @ w["head"].T


def tokens_of(text: str, options: argparse.Namespace) -> Tensor:
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as prompts:
        prompts.write(json.dumps({"text": text, "special": False}))
        prompts.flush()
        done = subprocess.run(
            [options.radialogctl, "model", "evaluate", options.model, "--prompts", prompts.name], stdout=subprocess.PIPE, text=True, check=True)
    return torch.tensor(json.loads(done.stdout)["tokens"])


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("--radialogctl", default=".build/release/radialogctl")
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--type", choices=["q4_0", "q8_0"], default="q4_0")
    options = parser.parse_args()

    model = Model(options.model, options.type)
    # Some 3 characters a token; the prompt must fit the model.
    text = options.text.read_text()
    windows = []
    for start in range(options.windows):
        window = tokens_of(text[start * 2500:(start + 1) * 2500], options)[:512].clone()
        window[0] = 1
        windows.append(window)

    def predictions(variant: Variant) -> tuple[Tensor, float]:
        model.load(variant)
        found = [torch.log_softmax(model.logits(window)[256:-1].double(), -1) for window in windows]
        surprise = torch.cat([-rows.gather(-1, window[257:, None]) for rows, window in zip(found, windows)])
        return torch.cat(found), float(surprise.mean().exp())

    exact, perplexity = predictions(Variant())
    print(f"{options.type}, {options.windows} windows, exact products: perplexity {perplexity:.3f}")
    for variant in [Variant(x=32), Variant(256, 256), Variant(64, 64), Variant(256), Variant("row"), Variant(row=4), Variant("row", row=4), Variant("row", row=3)]:
        found, other = predictions(variant)
        divergence = float((exact.exp() * (exact - found)).sum(-1).mean())
        units = variant.second_byte
        seconds = f", second byte {units[0] / units[1]:.2f} of rows, {units[2] / units[3]:.2f} of tiles" if variant.row else ""
        print(f"{variant}: {other / perplexity:.4f}, divergence {divergence:.4f}{seconds}", flush=True)


if __name__ == "__main__":
    main()
