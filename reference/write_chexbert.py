#!/usr/bin/env python3
"""Random CheXbert checkpoints as users have them, and what PyTorch makes of them.

    write_chexbert.py                             small, as a bundle's labeler with golden logits, into fixtures/chexbert (committed)
    write_chexbert.py DIR [--size tiny|full]      DIR/chexbert.pth, DIR/vocab.txt, DIR/expected.json; full: bert-base-uncased's widths, 440 MB
                      [--legacy]                  the same weights as PyTorch 1.4 wrote them on a GPU, with Adam's state beside them: full 1.3 GB
    write_chexbert.py --check                     the reference below against transformers' BertModel, at full width

expected.json: {"reports": [{"text", "ids", "truncated", "logits": [14 lists], "states": [14 names]}], "manifest": {...}}. The tokens of a report stand
there: its words are whole tokens of the vocabulary, so that no tokenizer is needed here. Weights are spread so that every part shows in the logits and the heads
give every answer. The reference is PyTorch's own torch.nn.TransformerEncoder.
"""

import argparse
import collections
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from write_alignment_goldens import Weights

torch.set_num_threads(1)

CONDITIONS = ["Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax",
              "Pleural Effusion", "Pleural Other", "Fracture", "Support Devices", "No Finding"]
STATES = ["blank", "positive", "negative", "uncertain"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ("the heart is normal in size there no focal consolidation pleural effusion or pneumothorax lungs are clear without evidence of acute disease mild "
         "cardiomegaly with small bilateral effusions a right line ends stable edema may reflect atelectasis pneumonia fracture seen").split()

SMALL = {"layers": 3, "hidden": 24, "heads": 3, "feed_forward": 42, "positions": 24}
TINY = {"layers": 2, "hidden": 128, "heads": 2, "feed_forward": 160, "positions": 40}
FULL = {"layers": 12, "hidden": 768, "heads": 12, "feed_forward": 3072, "positions": 512, "vocabulary": 30522}
EPSILON = 1e-12


def vocabulary(count=None):
    tokens = SPECIAL + list(dict.fromkeys(WORDS)) + [",", ".", "##s"]
    return tokens + [f"[unused{index}]" for index in range((count or len(tokens)) - len(tokens))]


def weights(spec, seed):
    w, width = Weights(seed), spec["hidden"]
    for name, rows in [("word", spec["vocabulary"]), ("position", spec["positions"]), ("token_type", 2)]:
        w.add(f"bert.embeddings.{name}_embeddings.weight", rows, width)
    w.norm("bert.embeddings.LayerNorm", width)
    for i in range(spec["layers"]):
        at = f"bert.encoder.layer.{i}."
        for part in ("query", "key", "value"):
            w.linear(f"{at}attention.self.{part}", width, width)
        w.linear(at + "attention.output.dense", width, width)
        w.norm(at + "attention.output.LayerNorm", width)
        w.linear(at + "intermediate.dense", spec["feed_forward"], width)
        w.linear(at + "output.dense", width, spec["feed_forward"])
        w.norm(at + "output.LayerNorm", width)
    w.linear("bert.pooler.dense", width, width)
    for index, condition in enumerate(CONDITIONS):
        w.linear(f"linear_heads.{index}", 2 if condition == "No Finding" else 4, width)
    return w


def heads(w, cls):
    return [torch.nn.functional.linear(cls, w[f"linear_heads.{index}.weight"], w[f"linear_heads.{index}.bias"]) for index in range(len(CONDITIONS))]


def encoder(w, spec):
    """torch.nn.TransformerEncoder with BERT's weights: post-norm, exact GELU."""
    layer = torch.nn.TransformerEncoderLayer(
        spec["hidden"], spec["heads"], spec["feed_forward"], dropout=0, activation="gelu", layer_norm_eps=EPSILON, batch_first=True, norm_first=False)
    module = torch.nn.TransformerEncoder(layer, spec["layers"], enable_nested_tensor=False).eval()
    state = {}
    for i in range(spec["layers"]):
        at, to = f"bert.encoder.layer.{i}.", f"layers.{i}."
        for end in ("weight", "bias"):
            state[f"{to}self_attn.in_proj_{end}"] = torch.cat([w[f"{at}attention.self.{part}.{end}"] for part in ("query", "key", "value")])
            for ours, theirs in [("attention.output.dense", "self_attn.out_proj"), ("attention.output.LayerNorm", "norm1"), ("intermediate.dense", "linear1"),
                                 ("output.dense", "linear2"), ("output.LayerNorm", "norm2")]:
                state[f"{to}{theirs}.{end}"] = w[f"{at}{ours}.{end}"]
    module.load_state_dict(state)
    return module


@torch.no_grad()
def logits(w, module, ids):
    table = lambda name: w[f"bert.embeddings.{name}_embeddings.weight"]
    x = table("word")[torch.tensor(ids)] + table("position")[: len(ids)] + table("token_type")[0]
    x = torch.nn.functional.layer_norm(x, x.shape[-1:], w["bert.embeddings.LayerNorm.weight"], w["bert.embeddings.LayerNorm.bias"], EPSILON)
    return heads(w, module(x[None])[0, 0])


def reports(spec, tokens, seed=5):
    """Texts of whole words, from none to more than there are positions."""
    numbers = torch.Generator().manual_seed(seed)
    ids = {token: index for index, token in enumerate(tokens)}
    words = [word for word in dict.fromkeys(WORDS)]
    room = spec["positions"] - 2
    for count in [0, 1, 2, 5, 9, 13, 16, 20, room - 1, room, room + 1, 3 * room]:
        chosen = [words[int(torch.randint(len(words), (1,), generator=numbers))] for _ in range(count)]
        text = " ".join(chosen)
        row = [ids["[CLS]"]] + [ids[word] for word in chosen[:room]] + [ids["[SEP]"]]
        yield {"text": text[:1].upper() + text[1:].replace(" lungs", "\n LUNGS"), "ids": row, "truncated": count > room}


def expected(spec, w, tokens):
    module = encoder(w, spec)
    rows = []
    for report in reports(spec, tokens):
        values = logits(w, module, report["ids"])
        rows.append(report | {"logits": [value.tolist() for value in values], "states": [STATES[int(value.argmax())] for value in values]})
    manifest = {"architecture": "chexbert", "weights": "labeler.safetensors", "tokenizer": "labeler_vocabulary.txt", **spec, "layer_norm_eps": EPSILON,
                "labels": CONDITIONS}
    return {"manifest": manifest, "reports": rows}


def dump(path, value):
    rows = ",\n".join(json.dumps(row) for row in value["reports"])
    path.write_text('{"manifest":%s,\n"reports":[\n%s\n]}\n' % (json.dumps(value["manifest"]), rows), encoding="ascii")


def fixture(folder):
    tokens = vocabulary()
    spec = SMALL | {"vocabulary": len(tokens)}
    w = weights(spec, seed=61)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor for name, tensor in w.items() if "pooler" not in name}, folder / "labeler.safetensors")
    (folder / "labeler_vocabulary.txt").write_text("".join(token + "\n" for token in tokens), encoding="ascii")
    dump(folder / "expected.json", expected(spec, w, tokens))


def save_legacy(value, path):
    """The layout before PyTorch 1.6, with storages that say they lay on a GPU."""
    torch.serialization.register_package(0, lambda storage: "cuda:0", lambda storage, location: storage)
    torch.save(value, path, _use_new_zipfile_serialization=False)


def checkpoint(folder, size, legacy):
    spec = FULL if size == "full" else TINY
    tokens = vocabulary(spec.get("vocabulary"))
    spec = spec | {"vocabulary": len(tokens)}
    w = weights(spec, seed=62)
    state = collections.OrderedDict((f"module.{name}", tensor) for name, tensor in w.items())
    # Newer versions of transformers keep it in the state dict.
    state["module.bert.embeddings.position_ids"] = torch.arange(spec["positions"])[None]
    folder.mkdir(parents=True, exist_ok=True)
    parameters = [tensor for tensor in state.values() if tensor.is_floating_point()] if legacy else []
    adam = {index: {"step": 7, "exp_avg": torch.zeros_like(tensor), "exp_avg_sq": torch.zeros_like(tensor)} for index, tensor in enumerate(parameters)}
    group = {"lr": 2e-5, "betas": (0.9, 0.999), "eps": 1e-08, "weight_decay": 0, "amsgrad": False, "params": list(adam)}
    value = {"epoch": 7, "model_state_dict": state, "optimizer_state_dict": {"state": adam, "param_groups": [group]}}
    (save_legacy if legacy else torch.save)(value, folder / "chexbert.pth")
    (folder / "vocab.txt").write_text("".join(token + "\n" for token in tokens), encoding="ascii")
    dump(folder / "expected.json", expected(spec, w, tokens))


@torch.no_grad()
def check():
    from transformers import BertConfig, BertModel

    tokens = vocabulary(FULL["vocabulary"])
    w = weights(FULL, seed=62)
    model = BertModel(BertConfig(
        vocab_size=FULL["vocabulary"], hidden_size=FULL["hidden"], num_hidden_layers=FULL["layers"], num_attention_heads=FULL["heads"],
        intermediate_size=FULL["feed_forward"], max_position_embeddings=FULL["positions"], hidden_act="gelu", layer_norm_eps=EPSILON)).eval()
    model.load_state_dict({name.removeprefix("bert."): tensor for name, tensor in w.items() if name.startswith("bert.")})
    module = encoder(w, FULL)
    worst = 0.0
    for report in reports(FULL, tokens):
        ids = torch.tensor([report["ids"]])
        theirs = torch.cat(heads(w, model(ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0, 0]))
        ours = torch.cat(logits(w, module, report["ids"]))
        worst = max(worst, float((ours - theirs).abs().max() / theirs.abs().max()))
    print(f"logits of {len(CONDITIONS)} heads against transformers' BertModel: {worst:.2e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--size", choices=["tiny", "full"], default="tiny")
    parser.add_argument("--legacy", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.check:
        check()
    elif arguments.folder:
        checkpoint(arguments.folder, arguments.size, arguments.legacy)
    else:
        fixture(Path(__file__).parent.parent / "fixtures/chexbert")
