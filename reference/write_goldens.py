#!/usr/bin/env python3
"""write_goldens.py BUNDLE FILM OUTDIR [QUESTION ...]: the tensors of every stage, as the Swift pipeline must give them.

OUTDIR/<film>.safetensors holds the tensors, OUTDIR/<film>.json the ids, texts, scores and hashes.
Uint8 crops are whole; float tensors are fp32 and whole. Where a tensor is too large, its rule is in the JSON.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import radialog

torch.set_num_threads(1)  # small matrices: more threads only wait for each other

QUESTIONS = ["List all the findings in this report.", "Write an impression section for this report.",
             "From which view was the image taken?"]


def main(bundle_folder, film, out, questions):
    bundle = radialog.Bundle(bundle_folder)
    values, monochrome1 = radialog.read_film(film)
    draft = radialog.Draft(bundle, values, monochrome1)
    spec = bundle.manifest["classifier"]
    positive = [i for i, (s, t) in enumerate(zip(draft.scores, spec["thresholds"])) if s > t]
    maps = [radialog.activation_map(draft.patches, draft.gradients[i]) for i in positive]
    tensors = {
        "encoder_crop": torch.from_numpy(draft.encoder_crop.copy()),
        "classifier_crop": torch.from_numpy(draft.classifier_crop.copy()),
        "patch_features": draft.features[0],
        "classifier_logits": draft.logits,
        "projected_patches": draft.patches,
        "activation_maps": torch.stack(maps) if maps else torch.zeros(0, *draft.patches.shape[1:]),
        "image_tokens": draft.image_tokens,
        "first_logits": draft.first_logits,
    }
    sha256 = lambda a: hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()
    dialogue = [dict(zip(("question", "ids", "text"), (q, *draft.ask(q)))) for q in questions]
    record = {
        "bundle": bundle.manifest["name"], "bundle_sha256": bundle.hash, "film": Path(film).name,
        "equalised_sha256": sha256(draft.equalised), "rendered_sha256": sha256(draft.rendered),
        "resized_shape": list(draft.resized.shape), "resized_sha256": sha256(draft.resized),
        "scores": draft.scores, "positive": [spec["labels"][i] for i in positive],
        "activation_maps": "one [grid, grid] per entry of `positive`: sum over channels of d logit / d patch x patch",
        "prompt_findings": draft.findings, "prompt_ids_before_image": draft.before, "prompt_ids_after_image": draft.after,
        "report_ids": draft.ids, "report_text": draft.text, "dialogue": dialogue,
    }
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    stem = Path(film).stem
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, out / f"{stem}.safetensors")
    (out / f"{stem}.json").write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:4], sys.argv[4:] or QUESTIONS)
