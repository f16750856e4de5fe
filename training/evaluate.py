"""The demonstration model on held-out synthetic films, through the Swift pipeline (or the PyTorch reference)."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "reference"))

import config as c  # noqa: E402
import dataset  # noqa: E402
import dialogue  # noqa: E402
import dicom  # noqa: E402
import films  # noqa: E402
import metrics  # noqa: E402
import multi_turn  # noqa: E402
import reader  # noqa: E402
import report  # noqa: E402
import truth  # noqa: E402


def write_films(count, folder):
    """The test films as DICOM: [(path, truth)]. Their seeds occur in no training set."""
    made = []
    for seed in range(dataset.FIRST_SEED["test"], dataset.FIRST_SEED["test"] + count):
        facts, path = truth.truth_of(seed), folder / f"film-{seed}.dcm"
        if not path.exists():
            image, _ = films.film(seed, facts)
            values, monochrome1 = dataset.stored_values(image, seed)
            d = dicom.dataset(values, seed, f"TEST^SYNTHETIC {seed}", f"T{seed}", facts["view"], 12, monochrome1)
            dicom.save(d, path)
        made.append((path, facts))
    return made


class Swift:
    """radialogctl draft --json: one process for many films; questions are the same for all of them."""

    def __init__(self, binary, bundle):
        self.command = [str(binary), "draft", "--json", "--bundle", str(bundle)]

    def __call__(self, paths, questions=()):
        asks = [word for q in questions for word in ("--ask", q)]
        done = subprocess.run(self.command + asks + [str(p) for p in paths], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(self.command)} failed with {done.returncode}: {done.stderr.strip()[-2000:]}")
        return {Path(r["file"]).name: r for r in json.loads(done.stdout)}


class Reference:
    """The PyTorch forward pass, in the same shape of answer."""

    def __init__(self, bundle):
        import radialog
        import torch

        torch.set_num_threads(1)
        self.radialog, self.bundle, self.last = radialog, radialog.Bundle(bundle), (None, None)

    def __call__(self, paths, questions=()):
        out = {}
        for path in paths:
            if self.last[0] != path:
                self.last = (path, self.radialog.Draft(self.bundle, *self.radialog.read_film(path)))
            draft, spec = self.last[1], self.bundle.manifest["classifier"]
            findings = [{"label": l, "score": s, "threshold": t, "positive": s > t} for l, s, t in zip(spec["labels"], draft.scores, spec["thresholds"])]
            out[path.name] = {"draft": {"text": draft.text, "findings": findings, "prompt_findings": draft.findings},
                              "dialogue": [{"question": q, "answer": draft.ask(q)[1]} for q in questions]}
        return out


def questions_for(text, seed):
    """[(task, question, details)] for one draft: every task, what is corrected chosen from what the draft states."""
    rng = np.random.default_rng([seed, 5])
    choose = lambda options: options[rng.integers(len(options))]
    now = reader.stated(text)
    present = sorted(now - {"No Finding"})
    if "Lung Opacity" in present and ({"Consolidation", "Pneumonia"} & now):
        present.remove("Lung Opacity")  # their sentences are what states it
    absent = [l for l in dialogue.FINDINGS if l not in now and l != "Lung Opacity"]
    made = []
    for task in ("findings_complete", "easy_language", "summarisation", "impression", "view"):
        made.append((task, choose(dialogue.ASK[task]), {}))
    for label in (choose(present or absent), choose(absent)):
        made.append(("findings_binary", choose(dialogue.ASK["findings_binary"]).format(finding=label.lower()), {"finding": label}))
    label = choose(present or absent)
    made.append(("reasoning", choose(dialogue.ASK["reasoning"]).format(finding=label.lower()), {"finding": label}))
    region = choose(list(dialogue.REGION))
    made.append(("region", choose(dialogue.REGION[region]), {"region": region}))
    made.append(("radrestruct", dialogue.radrestruct(rng, {l: {} for l in present})[0], {}))
    a, b = choose(absent), choose(present) if present else None
    fill = lambda kind: choose(dialogue.ASK[kind]).format(a=a.lower(), b=(b or "").lower())
    made.append(("correction_add", fill("add"), {"added": a, "before": text}))
    if b:
        made.append(("correction_remove", fill("remove"), {"removed": b, "before": text}))
        made.append(("correction_both", fill("both"), {"added": a, "removed": b, "before": text}))
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=HERE.parent / "models" / "radialog-demo")
    parser.add_argument("--engine", choices=["swift", "reference"], default="swift")
    parser.add_argument("--radialogctl", type=Path, default=HERE.parent / ".build" / "release" / "radialogctl")
    parser.add_argument("--films", type=int, default=500)
    parser.add_argument("--dialogue-films", type=int, default=100, help="films whose draft is followed by every dialogue task")
    parser.add_argument("--conversations", type=int, default=300, help="conversations of several follow-ups (engine swift only)")
    parser.add_argument("--scratch", type=Path, help="keeps the films there; default: a folder that is removed")
    parser.add_argument("--show", type=int, default=0, help="print that many drafts and dialogues")
    options = parser.parse_args()
    temporary = tempfile.TemporaryDirectory() if options.scratch is None else None
    folder = options.scratch or Path(temporary.name)
    folder.mkdir(parents=True, exist_ok=True)
    made = write_films(options.films, folder)
    print(f"{len(made)} synthetic films, engine {options.engine}, bundle {options.bundle}")
    engine = Swift(options.radialogctl, options.bundle) if options.engine == "swift" else Reference(options.bundle)

    start, drafts = time.time(), {}
    for at in range(0, len(made), 50):
        drafts |= engine([p for p, _ in made[at : at + 50]])
    print(f"drafts: {(time.time() - start) / len(made):.2f} s each")
    missing = [p.name for p, _ in made if not drafts.get(p.name, {}).get("draft")]
    if missing:
        sys.exit(f"no draft for {len(missing)} films, for instance {missing[0]}: {drafts.get(missing[0])}")
    labels = np.array([facts["labels"] for _, facts in made])
    order = [{f["label"]: f for f in drafts[p.name]["draft"]["findings"]} for p, _ in made]
    scores = np.array([[o[l]["score"] for l in c.LABELS] for o in order])
    positive = np.array([[o[l]["positive"] for l in c.LABELS] for o in order])
    said = np.array([[l in reader.stated(reader.unmarked(drafts[p.name]["draft"]["text"])) for l in c.LABELS] for p, _ in made])
    rows = [(metrics.auroc(scores[:, i], labels[:, i]), metrics.f1(positive[:, i], labels[:, i]), metrics.f1(said[:, i], labels[:, i])) for i in range(len(c.LABELS))]
    print(f"{'label':28} {'films':>5} {'AUROC':>6} {'F1 classifier':>13} {'F1 stated':>9}")
    for label, count, row in zip(c.LABELS, labels.sum(0), rows):
        print(f"{label:28} {count:5d} {row[0]:6.3f} {row[1]:13.3f} {row[2]:9.3f}")
    auroc, plain, stated = np.mean(rows, axis=0)
    print(f"macro AUROC {auroc:.4f}   macro F1 of the classifier {plain:.4f}   macro F1 of the stated findings {stated:.4f}")

    forms, right = {}, {}
    for number, (path, facts) in enumerate(made[: options.dialogue_films]):
        text = reader.unmarked(drafts[path.name]["draft"]["text"])
        asked = questions_for(text, number)
        answers = engine([path], [q for _, q, _ in asked])[path.name]["dialogue"]
        if number < options.show:
            print(f"\n{path.name} {facts['view']} truth: {report.prompt(facts['findings'])}\n  {text}")
        for (task, question, details), reply in zip(asked, answers, strict=True):
            answer = reader.unmarked(reply["answer"])
            good = reader.has_form(task, answer, question, details)
            forms.setdefault(task, []).append(good)
            if task == "findings_binary":
                right.setdefault(task, []).append(answer.startswith("Yes") == (details["finding"] in facts["findings"]))
            if task == "view":
                right.setdefault(task, []).append(f"in {facts['view']} view" in answer)
            if number < options.show or not good and len([g for g in forms[task] if not g]) <= 2:
                print(f"  {'' if good else 'WRONG FORM '}{task}: {question} -> {answer}")
    print(f"{'task':20} {'asked':>5} {'right form':>10} {'agrees with the truth':>22}")
    for task, values in forms.items():
        agrees = f"{np.mean(right[task]):22.3f}" if task in right else ""
        print(f"{task:20} {len(values):5d} {np.mean(values):10.3f} {agrees}")
    low = min((np.mean(v) for v in forms.values()), default=1)
    if options.engine == "swift" and options.conversations:
        chat = multi_turn.Chat(options.radialogctl, options.bundle)
        low = min(low, multi_turn.evaluate(chat, made, drafts, options.conversations, options.show))
    passed = auroc >= 0.90 and stated >= 0.80 and low >= 0.95
    print("goals (AUROC >= 0.90, stated F1 >= 0.80, every form, task of a conversation and follow-up >= 0.95):", "reached" if passed else "NOT reached")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
