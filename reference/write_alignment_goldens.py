#!/usr/bin/env python3
"""Random weights in the official layouts with golden outputs: the Q-Former (v1) and BioViL-T's pooler for a prior image.

    write_alignment_goldens.py              small widths, into fixtures/alignment (committed)
    write_alignment_goldens.py --full DIR   the published widths, into a scratch folder: about 450 MB
    write_alignment_goldens.py --check      this reference against transformers' Blip2QFormerModel and hi-ml-multimodal's pooler

Each NAME.safetensors holds the weights under their official keys and `golden.*`; each NAME.json the object that stands in a manifest.
Swift compares in Tests/PipelineTests: RADIALOG_FULL_GOLDENS=DIR names the full-width folder. A file is the same, byte for byte, for the
same version of PyTorch.
"""

import argparse
import importlib.util
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

import radialog

torch.set_num_threads(1)

SMALL_Q_FORMER = {
    "architecture": "q-former", "weights": "alignment.safetensors", "input": 20, "output": 18, "queries": 5, "layers": 5, "hidden": 24, "heads": 3,
    "feed_forward": 42, "cross_attention_every": 2, "layer_norm_eps": 1e-12, "vision_norm_eps": 1e-5,
}
FULL_Q_FORMER = SMALL_Q_FORMER | {
    "input": 1408, "output": 4096, "queries": 32, "layers": 12, "hidden": 768, "heads": 12, "feed_forward": 3072,
}
SMALL_POOLER = {"blocks": 2, "heads": 2, "feed_forward": 30, "layer_norm_eps": 1e-6}
FULL_POOLER = {"blocks": 3, "heads": 8, "feed_forward": 256, "layer_norm_eps": 1e-6}


class Weights(dict):
    """Of the spread that keeps a layer's outputs near its inputs' size: nothing vanishes, every part shows in the result."""

    def __init__(self, seed):
        super().__init__()
        self.numbers = torch.Generator().manual_seed(seed)

    def add(self, name, *shape, spread=1.0, around=0.0):
        self[name] = torch.randn(shape, generator=self.numbers) * spread + around

    def linear(self, name, outputs, inputs, bias=True):
        self.add(name + ".weight", outputs, inputs, spread=inputs**-0.5)
        if bias:
            self.add(name + ".bias", outputs, spread=0.2)

    def norm(self, name, width):
        self.add(name + ".weight", width, spread=0.2, around=1.0)
        self.add(name + ".bias", width, spread=0.2)


def q_former_weights(spec, seed):
    w, width = Weights(seed), spec["hidden"]
    w.add("query_tokens", 1, spec["queries"], width)
    w.norm("ln_vision", spec["input"])
    w.norm("Qformer.bert.embeddings.LayerNorm", width)
    for i in range(spec["layers"]):
        at = f"Qformer.bert.encoder.layer.{i}."
        for part, context in [("attention", width), ("crossattention", spec["input"])]:
            if part == "crossattention" and i % spec["cross_attention_every"] != 0:
                continue
            w.linear(f"{at}{part}.self.query", width, width)
            w.linear(f"{at}{part}.self.key", width, context)
            w.linear(f"{at}{part}.self.value", width, context)
            w.linear(f"{at}{part}.output.dense", width, width)
            w.norm(f"{at}{part}.output.LayerNorm", width)
        w.linear(at + "intermediate_query.dense", spec["feed_forward"], width)
        w.linear(at + "output_query.dense", width, spec["feed_forward"])
        w.norm(at + "output_query.LayerNorm", width)
    w.linear("img_proj_layer", spec["output"], width)
    return w


def pooler_weights(spec, channels, seed):
    w = Weights(seed)
    for i in range(spec["blocks"]):
        at = f"encoder.vit_pooler.blocks.{i}."
        w.norm(at + "norm1", channels)
        for part in ("proj_q", "proj_k", "proj_v"):
            w.linear(at + "attn." + part, channels, channels, bias=False)
        w.linear(at + "attn.proj", channels, channels)
        w.norm(at + "norm2", channels)
        w.linear(at + "mlp.fc1", spec["feed_forward"], channels)
        w.linear(at + "mlp.fc2", channels, spec["feed_forward"])
    w.norm("encoder.vit_pooler.norm_post", channels)
    w.add("encoder.vit_pooler.type_embed", 2, 1, channels, spread=0.5)
    return w


def save(folder, name, w, spec, golden):
    folder.mkdir(parents=True, exist_ok=True)
    tensors = dict(w) | {f"golden.{key}": value for key, value in golden.items()}
    save_file({key: value.contiguous() for key, value in tensors.items()}, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(spec, indent=1) + "\n", encoding="utf-8")


@torch.no_grad()
def write(folder, q_former_spec, pooler_spec, channels, grid):
    w = q_former_weights(q_former_spec, seed=41)
    projected = torch.randn(q_former_spec["input"], grid, grid, generator=w.numbers)
    save(folder, "q-former", w, q_former_spec, {"projected": projected, "tokens": radialog.q_former(projected, w, q_former_spec)})

    w = pooler_weights(pooler_spec, channels, seed=42)
    current, prior = (torch.randn(channels, grid, grid, generator=w.numbers) for _ in range(2))
    pooled = radialog.pool_prior(current, prior, w, "", pooler_spec)
    save(folder, "prior-pooler", w, pooler_spec, {"current": current, "prior": prior, "pooled": pooled})


@torch.no_grad()
def check():
    """The functions of radialog.py against independent implementations, at the published widths."""
    relative = lambda found, expected: float((found - expected).abs().max() / expected.abs().max())

    from transformers import Blip2QFormerConfig, Blip2QFormerModel

    spec = FULL_Q_FORMER
    w = q_former_weights(spec, seed=41)
    model = Blip2QFormerModel(Blip2QFormerConfig(
        hidden_size=spec["hidden"], num_hidden_layers=spec["layers"], num_attention_heads=spec["heads"], intermediate_size=spec["feed_forward"],
        hidden_act="gelu", layer_norm_eps=spec["layer_norm_eps"], cross_attention_frequency=spec["cross_attention_every"],
        encoder_hidden_size=spec["input"])).eval()
    model.load_state_dict({
        name.removeprefix("Qformer.bert.").replace("embeddings.LayerNorm", "layernorm").replace("attention.self.", "attention.attention."): value
        for name, value in w.items() if name.startswith("Qformer.bert.")})
    projected = torch.randn(spec["input"], 14, 14, generator=w.numbers)
    image = torch.nn.functional.layer_norm(
        projected.reshape(1, -1, spec["input"]), (spec["input"],), w["ln_vision.weight"], w["ln_vision.bias"], spec["vision_norm_eps"])
    output = model(query_embeds=w["query_tokens"], encoder_hidden_states=image).last_hidden_state[0]
    expected = torch.nn.functional.linear(output, w["img_proj_layer.weight"], w["img_proj_layer.bias"])
    print(f"Q-Former against Blip2QFormerModel: {relative(radialog.q_former(projected, w, spec), expected):.2e}")

    # The one file: the package around it wants image readers that have no part in this. It needs timm < 1.
    folder = importlib.util.find_spec("health_multimodal").submodule_search_locations[0]
    module = importlib.util.spec_from_file_location("hi_ml_transformer", Path(folder) / "image/model/transformer.py")
    hi_ml = importlib.util.module_from_spec(module)
    module.loader.exec_module(hi_ml)
    w = pooler_weights(FULL_POOLER, 256, seed=42)
    pooler = hi_ml.VisionTransformerPooler(input_dim=256, grid_shape=(14, 14)).eval()
    pooler.load_state_dict({name.removeprefix("encoder.vit_pooler."): value for name, value in w.items()})
    current, prior = (torch.randn(256, 14, 14, generator=w.numbers) for _ in range(2))
    expected = pooler(current[None], prior[None])[0]
    print(f"pooler against hi-ml's VisionTransformerPooler: {relative(radialog.pool_prior(current, prior, w, '', FULL_POOLER), expected):.2e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", metavar="DIR", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.check:
        check()
    elif arguments.full:
        write(arguments.full, FULL_Q_FORMER, FULL_POOLER, channels=256, grid=14)
    else:
        write(Path(__file__).parent.parent / "fixtures/alignment", SMALL_Q_FORMER, SMALL_POOLER, channels=20, grid=3)
