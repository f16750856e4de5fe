"""The stages of one training run. Each keeps its result in the work folder and is skipped when that is there."""

import time
from pathlib import Path

import numpy as np
import torch

import sentencepiece as spm

import bundle
import config as c
import dataset
import dialogue
import language
import metrics
import model
import recall
import report
import samples
import tokenizer
import truth
import trunk

SEED = 20261122
VERSION = "1.2.0"
FILMS = {"trunk": 9000, "language": 3000, "validation": 600}
TRUNK_EPOCHS = 3
RECALL_STEPS = 175
# Where the report is not the image's ("rewritten"), the follow-ups must read the report: corrections need that.
IDEAL = (450, samples.Mix(branches=5, correction=2, rewritten=0.4))
# On the trunk's own features: (name, steps, highest rate, mix).
PHASES = [
    ("real", 700, 1.2e-3, samples.Mix(branches=5, correction=2, rewritten=0.3)),
    ("corrections", 400, 9e-4, samples.Mix(branches=6, correction=2.5, rewritten=0.4)),
    ("questions", 400, 9e-4, samples.Mix(branches=6, correction=1.25, rewritten=0.4)),
    ("last", 400, 8e-4, samples.Mix(branches=6, correction=2, rewritten=0.4)),
    ("turns", 450, 8e-4, samples.Mix(branches=3, correction=2, rewritten=0.4, turns=4)),
]


def log(text):
    print(time.strftime("%H:%M:%S"), text, flush=True)


def films(work):
    for name, count in FILMS.items():
        dataset.make(name, count, work)
        log(f"{count} films of set '{name}'")


def image_trunk(work):
    """Trains and evaluates the classifier; tunes the thresholds; keeps the patch features of every set."""
    path = work / "trunk.pt"
    if not path.exists():
        net = trunk.train(dataset.make("trunk", FILMS["trunk"], work), SEED, TRUNK_EPOCHS, log=log)
        torch.save(net.state_dict(), path)
    if (work / "features.pt").exists():
        return
    net = model.Classifier()
    net.load_state_dict(torch.load(path))
    # The bundle stores half precision: what follows is computed from the rounded weights.
    net.load_state_dict({k: v.half().to(v.dtype) for k, v in net.state_dict().items()})
    net = net.to(memory_format=torch.channels_last).eval()
    kept = {}
    for name, count in FILMS.items():
        data = dataset.make(name, count, work)
        scores, features = trunk.outputs(net, data)
        kept[name] = {"scores": scores, "features": features, "truths": data["truths"]}
        labels = np.array([t["labels"] for t in data["truths"]])
        s = scores.numpy()
        if name == "validation":
            kept["thresholds"] = [metrics.best_threshold(s[:, i], labels[:, i]) for i in range(len(c.LABELS))]
        areas = [metrics.auroc(s[:, i], labels[:, i]) for i in range(len(c.LABELS))]
        log(f"{name}: macro AUROC {np.mean(areas):.4f} " + " ".join(f"{a:.3f}" for a in areas))
    s, labels = kept["validation"]["scores"].numpy(), np.array([t["labels"] for t in kept["validation"]["truths"]])
    values = [metrics.f1(s[:, i] > t, labels[:, i]) for i, t in enumerate(kept["thresholds"])]
    log(f"validation: macro F1 {np.mean(values):.4f} " + " ".join(f"{v:.3f}" for v in values))
    torch.save(kept, work / "features.pt")


def vocabulary(work):
    """The tokenizer, trained on reports, dialogues and prompts of 1,500 truths."""
    path = work / "tokenizer.model"
    if not path.exists():
        lines = [c.SYSTEM + " USER: ", c.REPORT_INSTRUCTION.replace("<image>", "")] * 300
        for seed in range(1500):
            facts, rng = truth.truth_of(seed), report.rng_of(seed, 7)
            variants = report.variants(rng)
            lines.append(report.report(facts["findings"], variants))
            for task in dialogue.TASKS:
                question, answer = dialogue.turn(task, rng, facts, variants)
                lines += [f"USER: {question} ASSISTANT:", answer]
        tokenizer.train(lines, path)
    return spm.SentencePieceProcessor(model_file=str(path))


def sets(work):
    """Truths and ideal image tokens of both training sets, trunk first."""
    truths, ideals = [], []
    for name in ("trunk", "language"):
        data = dataset.make(name, FILMS[name], work)
        truths += data["truths"]
        ideals += [language.ideal(t, b) for t, b in zip(data["truths"], data["boxes"])]
    return truths, torch.stack(ideals)


def language_on_ideal_tokens(work):
    """Needs no trunk, so it runs beside its training."""
    path = work / "language-ideal.pt"
    if path.exists():
        return
    torch.manual_seed(SEED + 1)
    net, oracle = model.LanguageModel(), torch.nn.Linear(language.IDEAL, c.HIDDEN)
    truths, ideals = sets(work)
    recall.set_up(net)
    recall.train(net, vocabulary(work), SEED + 1, RECALL_STEPS, 1.5e-3, log=log)
    steps, mix = IDEAL
    language.train(net, oracle, ideals, truths, None, None, vocabulary(work), SEED + 2, steps, 1.5e-3, log=log, name="ideal", decay=False, mix=mix)
    torch.save({"net": net.state_dict(), "oracle": oracle.state_dict()}, path)


def language_on_real_features(work):
    """Fits the alignment to the ideal tokens, then trains it together with the language model, phase after phase."""
    kept = torch.load(work / "features.pt", weights_only=False)
    truths, ideals = sets(work)
    # The films that the trunk has not seen stand twice: their features are what a new film's look like.
    features = torch.cat([kept[n]["features"] for n in ("trunk", "language", "language")])
    scores = torch.cat([kept[n]["scores"] for n in ("trunk", "language", "language")])
    new = slice(FILMS["trunk"], None)
    truths, ideals = truths + truths[new], torch.cat([ideals, ideals[new]])

    torch.manual_seed(SEED + 3)
    net, alignment = model.LanguageModel(), model.Alignment()
    done = [n for n, (name, *_) in enumerate(PHASES) if phase_path(work, name).exists()]
    if done:
        state = torch.load(phase_path(work, PHASES[done[-1]][0]))
        net.load_state_dict(state["net"])
        alignment.load_state_dict(state["alignment"])
    else:
        state = torch.load(work / "language-ideal.pt")
        oracle = torch.nn.Linear(language.IDEAL, c.HIDDEN)
        net.load_state_dict(state["net"])
        oracle.load_state_dict(state["oracle"])
        language.fit_alignment(alignment, oracle, features, ideals, SEED + 3, log=log)
    for number, (name, steps, peak, mix) in enumerate(PHASES):
        if done and number <= done[-1]:
            continue
        watch = None
        if mix.turns:
            held = [kept["validation"][key][:80] for key in ("features", "truths", "scores")]
            watch = lambda: language.known_by_heart(net, alignment, *held, kept["thresholds"], vocabulary(work), mix, SEED)
        language.train(net, alignment, features, truths, scores, kept["thresholds"], vocabulary(work), SEED + 4 + number, steps, peak, log=log,
                       name=name, warm=100 if number == 0 else 30, mix=mix, watch=watch)
        torch.save({"net": net.state_dict(), "alignment": alignment.state_dict()}, phase_path(work, name))


def phase_path(work, name):
    return work / f"language-{name}.pt"


def write_bundle(work, folder):
    classifier, net, alignment = model.Classifier(), model.LanguageModel(), model.Alignment()
    classifier.load_state_dict(torch.load(work / "trunk.pt"))
    state = torch.load(phase_path(work, PHASES[-1][0]))
    net.load_state_dict(state["net"])
    alignment.load_state_dict(state["alignment"])
    kept = torch.load(work / "features.pt", weights_only=False)
    vocabulary(work)
    provenance = {"generator": "training/train", "seed": str(SEED), "films": f"{FILMS['trunk']} + {FILMS['language']} synthetic, 0 real",
                  "texts": "synthetic, from the same facts as the films", "pytorch": torch.__version__}
    bundle.write(folder, classifier, alignment, net, work / "tokenizer.model", kept["thresholds"], provenance, "radialog-demo", VERSION,
                 "Small RaDialog trained on synthetic films only. It shows that the program works and must never be used on a patient.")
    log(f"bundle written to {folder}: {sum(f.stat().st_size for f in Path(folder).iterdir()) / 1e6:.1f} MB")
