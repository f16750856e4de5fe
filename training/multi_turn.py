"""Conversations of several follow-ups through `radialogctl chat`: is each answer right about the report as it was corrected last?"""

import json
import re
import subprocess
import sys

import numpy as np

import dialogue
import reader
from report import NAME

TURNS = 4


class Chat:
    """radialogctl chat --json: all questions are asked in one conversation."""

    def __init__(self, binary, bundle):
        self.command = [str(binary), "chat", "--json", "--bundle", str(bundle)]

    def __call__(self, path, questions):
        done = subprocess.run(self.command + [w for q in questions for w in ("--ask", q)] + [str(path)], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(self.command)} failed with {done.returncode}: {done.stderr.strip()[-2000:]}")
        (film,) = json.loads(done.stdout)
        return reader.unmarked(film["draft"]["text"]), [reader.unmarked(turn["answer"]) for turn in film["dialogue"]]


def states(text):
    """reader.stated, with a lung opacity only where a sentence of its own tells of one."""
    own = any(re.search(reader.WORDS["Lung Opacity"], s, re.I) and not re.search("consolidation|pneumonia", s, re.I) and not reader.NEGATION.search(s)
              for s in reader.sentences(text))
    return reader.stated(text) - (set() if own else {"Lung Opacity"})


def with_opacity(now):
    """CheXpert's rule: a consolidation or pneumonia is a lung opacity, too."""
    return now | ({"Lung Opacity"} if {"Consolidation", "Pneumonia"} & now else set())


def questions_for(text, seed):
    """[(task, question, details)]: any tasks one after the other; every second one a correction, before the last."""
    rng = np.random.default_rng([seed, 6])
    choose = lambda options: options[rng.integers(len(options))]
    now, made = states(text), []
    plain = [t for t in dialogue.TASKS if not t.startswith("correction")]
    for _ in range(TURNS):
        # The sentence of a consolidation or pneumonia may go on telling of an opacity.
        present = sorted(now - {"No Finding"} - ({"Lung Opacity"} if {"Consolidation", "Pneumonia"} & now else set()))
        absent = [l for l in dialogue.FINDINGS if l not in now and l != "Lung Opacity"]
        kind = choose(["add", "remove", "both"]) if present else "add"
        task = f"correction_{kind}" if rng.random() < 0.45 else choose(plain)
        if task.startswith("correction"):
            added, removed = choose(absent) if kind != "remove" else None, choose(present) if kind != "add" else None
            question = choose(dialogue.ASK[kind]).format(a=(added or "").lower(), b=(removed or "").lower())
            made.append((task, question, {"added": added, "removed": removed}))
            now = now - {removed} | ({added} if added else set())
        elif task in ("findings_binary", "reasoning"):
            label = choose(present) if present and rng.random() < 0.5 else choose(absent)
            made.append((task, choose(dialogue.ASK[task]).format(finding=label.lower()), {"finding": label}))
        elif task == "region":
            region = choose(list(dialogue.REGION))
            made.append((task, choose(dialogue.REGION[region]), {"region": region}))
        elif task == "radrestruct":
            made.append((task, dialogue.radrestruct(rng, {l: {} for l in present})[0], {}))
        else:
            made.append((task, choose(dialogue.ASK[task]), {}))
    return made


EASY_WORDS = {
    "Edema": "too much water", "Consolidation": "filled up", "Pneumonia": "infection", "Lung Opacity": "cloudy", "Lung Lesion": "round spot",
    "Atelectasis": "not fully open", "Pleural Effusion": "water around", "Pneumothorax": "leaked out", "Pleural Other": "thicker than normal",
    "Cardiomegaly": "heart is bigger", "Enlarged Cardiomediastinum": "middle of the chest is wider", "Fracture": "broken",
    "Support Devices": "[Dd]evices can be seen",
}


def named(task, answer):
    """The findings that an answer which lists all of them names."""
    if task == "findings_complete":
        return {l for l in dialogue.FINDINGS if l.lower() in answer.split(", ")}
    if task == "easy_language":
        return {label for label, words in EASY_WORDS.items() if re.search(words, answer)}
    return {label for label, words in reader.WORDS.items() if any(re.search(words, s, re.I) and not reader.NEGATION.search(s) for s in reader.sentences(answer))}


def agrees(task, answer, question, details, latest):
    """Whether the answer is true of the report `latest`."""
    now = with_opacity(states(latest))
    if task.startswith("correction") or task == "view":
        return True  # a correction's form is its content; the view is the image's
    if task == "findings_binary":
        return answer.startswith("Yes") == (details["finding"] in now)
    if task == "reasoning":
        return answer.startswith("I think") == (details["finding"] in now)
    if task == "region":
        return answer.startswith("No") == any(l in now for l in dialogue.REGION_LABELS[details["region"]])
    if task == "radrestruct":
        return radrestruct(answer, question, latest, now)
    others = {"Lung Opacity"} if {"Consolidation", "Pneumonia"} & now else set()  # it need not be named beside them
    return named(task, answer) - others == now - {"No Finding"} - others


def radrestruct(answer, question, latest, now):
    if question.startswith("Is there any abnormality of the "):
        return answer == ("yes" if any(l in now for l in dialogue.REGION_LABELS[re.search(r"of the (\w+)\?", question)[1]]) else "no")
    label = next(l for l in sorted(dialogue.FINDINGS, key=len, reverse=True) if any(n in question for n in (l.lower(), NAME[l])))
    if question.startswith("Are there any signs"):
        return answer == ("yes" if label in now else "no")
    here = [s for s in reader.sentences(latest) if label in now and re.search(reader.WORDS[label], s, re.I) and not reader.NEGATION.search(s)]
    said = lambda words: next((w for w in words if any(re.search(rf"\b{w}\b", s, re.I) for s in here)), "none")
    if question.startswith("On which side"):
        return answer == said(["both", "bilateral", "left", "right"]).replace("bilateral", "both")
    return answer == said(dialogue.SEVERITY[label].split(", "))


def evaluate(engine, films, drafts, count, show=0):
    """`engine` is a Chat. Prints right answers by task and number of the follow-up. Returns the lowest share of a task or of a turn."""
    right, shown = {}, 0
    for number in range(count):
        path, _ = films[number % len(films)]
        asked = questions_for(reader.unmarked(drafts[path.name]["draft"]["text"]), number)
        latest, answers = engine(path, [q for _, q, _ in asked])
        for turn, ((task, question, details), answer) in enumerate(zip(asked, answers, strict=True), start=1):
            details = details | {"before": latest}
            good = reader.has_form(task, answer, question, details) and agrees(task, answer, question, details, latest)
            right.setdefault(task, {}).setdefault(turn, []).append(good)
            if not good and shown < show:
                shown += 1
                print(f"  WRONG in turn {turn}, {task}: {latest}\n    {question} -> {answer}")
            if task.startswith("correction"):
                latest = answer
    share = lambda values: f"{np.mean(values):.3f} ({len(values)})" if values else "-"
    line = lambda name, cells: print(f"{name:20} " + " ".join(f"{cell:>12}" for cell in cells))
    line(f"{count} conversations", [f"follow-up {t}" for t in range(1, TURNS + 1)] + ["all"])
    every = {t: [v for turns in right.values() for v in turns.get(t, [])] for t in range(1, TURNS + 1)}
    for task in sorted(right, key=dialogue.TASKS.index):
        line(task, [share(right[task].get(t, [])) for t in range(1, TURNS + 1)] + [share(sum(right[task].values(), []))])
    line("all", [share(every[t]) for t in every] + [share(sum(every.values(), []))])
    return min(*(np.mean(sum(turns.values(), [])) for turns in right.values()), *(np.mean(v) for v in every.values()))
