"""Writes a model bundle (docs/model-bundle.md): half-precision safetensors, the tokenizer and the manifest."""

import hashlib
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

import config as c


def half(state):
    return {k: v.detach().to(torch.float16).contiguous() for k, v in state.items() if not k.endswith("num_batches_tracked")}


def trunk(weights, projection):
    return {
        "weights": weights, "stem_channels": c.STEM, "stage_blocks": c.STAGE_BLOCKS, "stage_channels": c.STAGE_CHANNELS,
        "expansion": c.EXPANSION, "patch_channels": c.PATCH_CHANNELS, "projection": projection, "batch_norm_eps": 1e-5,
    }


def write(folder, classifier, alignment, language_model, tokenizer, thresholds, provenance, name, version, description):
    """Replaces `folder`. The encoder file is the classifier's own trunk without the projector."""
    folder = Path(folder)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    encoder = {"encoder." + k: v for k, v in classifier.biovil_encoder.encoder.state_dict().items()}
    save_file(half(encoder), folder / "image_encoder.safetensors")
    save_file(half(classifier.state_dict()), folder / "classifier.safetensors")
    save_file(half(alignment.state_dict()), folder / "alignment.safetensors")
    save_file(half(language_model.state_dict()), folder / "language_model.safetensors")
    shutil.copyfile(tokenizer, folder / "tokenizer.model")
    files = {}
    for path in sorted(folder.iterdir()):
        path.chmod(0o644)
        files[path.name] = {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    manifest = {
        "format": "radialog-bundle", "format_version": 1, "name": name, "version": version, "kind": "demo",
        "description": description, "licence": "Apache-2.0", "provenance": provenance,
        "preprocessing": {
            "rendering": "mimic-cxr-jpg", "shorter_side": c.SHORTER_SIDE,
            "encoder_side": c.ENCODER_SIDE, "classifier_side": c.CLASSIFIER_SIDE,
        },
        "image_encoder": {"architecture": "biovil-t", **trunk("image_encoder.safetensors", None)},
        "classifier": {
            "architecture": "chexpert", **trunk("classifier.safetensors", c.PROJECTION),
            "pool": c.POOL, "hidden": c.CLASSIFIER_HIDDEN, "labels": c.LABELS, "thresholds": [round(float(t), 4) for t in thresholds],
        },
        "alignment": {
            "architecture": "mlp", "weights": "alignment.safetensors",
            "input": 2 * c.PATCH_CHANNELS, "hidden": c.ALIGNMENT_HIDDEN, "output": c.HIDDEN,
        },
        "language_model": {
            "architecture": "llama", "weights": "language_model.safetensors", "layers": c.LAYERS, "hidden": c.HIDDEN,
            "heads": c.HEADS, "key_value_heads": c.HEADS, "feed_forward": c.FEED_FORWARD, "vocabulary": c.VOCABULARY,
            "context": c.CONTEXT, "rms_norm_eps": c.RMS_EPS, "rope_theta": c.ROPE_THETA, "tied_embeddings": False,
        },
        "tokenizer": {"architecture": "sentencepiece-bpe", "model": "tokenizer.model"},
        "prompts": {"system": c.SYSTEM, "report_instruction": c.REPORT_INSTRUCTION},
        "generation": {"max_report_tokens": c.MAX_REPORT_TOKENS, "max_answer_tokens": c.MAX_ANSWER_TOKENS},
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
