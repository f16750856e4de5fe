"""Questions and answers for every dialogue task of docs/model.md section 6, from the same truth as film and report."""

import config as c
from report import GROUPS, NAME, phrase, prompt, report, with_finding, without_finding

FINDINGS = [l for l in c.LABELS if l != "No Finding"]

ASK = {
    "findings_complete": ["List all the findings in this report.", "Which findings are mentioned in this report?",
                          "What are the findings of this report?", "Name all findings in the report.", "Enumerate all the findings."],
    "findings_binary": ["Is there any {finding}?", "Does the patient have {finding}?", "Is {finding} present?",
                        "Is there evidence of {finding}?", "Can you see any {finding}?"],
    "reasoning": ["Why do you think the patient has {finding}?", "What makes you think the patient has {finding}?",
                  "How do you know that there is {finding}?", "Which signs in the image suggest {finding}?"],
    "easy_language": ["Explain this report in very easy terms.", "Rewrite the report in easy language.",
                      "Explain this report in simple words.", "What does this report mean in easy language?",
                      "Can you explain the report so that a child understands it?"],
    "summarisation": ["Summarize this report.", "Summarize the report in one sentence.", "Give a short summary of this report.",
                      "Can you provide a summary of this report in one sentence?"],
    "impression": ["Write an impression section for this report.", "What is the impression?", "Generate the impression of this report."],
    "view": ["From which view was the image taken?", "What is the view of this image?", "Is this a PA or an AP image?",
             "In which projection was this X-ray taken?"],
    "add": ["The patient also has {a}, correct the report. Don't make other changes.",
            "Please include {a} in the report. Don't make other changes.", "You missed {a}. Please correct the report."],
    "remove": ["The patient does not have {b}. Update the report. Don't make other changes.",
               "Please remove {b} from the report. Don't make other changes.", "There is no {b}. Please correct the report."],
    "both": ["Please adapt the report with the following corrections: Include {a} and remove {b}. Don't make other changes.",
             "The patient has {a} but not {b}. Correct the report. Don't make other changes."],
}
REGION = {
    "lungs": ["Are the patient's lungs healthy?", "Are the lungs normal?", "Is the lung healthy?"],
    "heart": ["Is the patient's heart healthy?", "Is the heart normal?", "Is the heart size normal?"],
    "mediastinum": ["Is the patient's mediastinum healthy?", "Is the mediastinum normal?"],
    "pleura": ["Is the patient's pleura healthy?", "Is the pleura normal?"],
    "bones": ["Are the patient's bones healthy?", "Are the bones normal?", "Are the bones intact?"],
}
REGION_LABELS = {**{k: GROUPS[k] for k in ("lungs", "pleura", "bones")}, "heart": ["Cardiomegaly"], "mediastinum": ["Enlarged Cardiomediastinum"]}
HEALTHY = {"lungs": "the lungs are clear", "heart": "the heart size is normal", "mediastinum": "the mediastinum is normal",
           "pleura": "the pleura is normal", "bones": "the bones are intact"}
SIGN = {
    "Enlarged Cardiomediastinum": "the mediastinal contour is wider than normal",
    "Cardiomegaly": "the heart fills more than half of the width of the chest",
    "Lung Opacity": "part of the lung is whiter than normal",
    "Lung Lesion": "there is a round and well defined density in the {side} lung",
    "Edema": "there is perihilar haziness with septal lines in both lungs",
    "Consolidation": "a dense area with air bronchograms is seen in the {side} lung",
    "Pneumonia": "patchy densities are seen in {lung}",
    "Atelectasis": "linear bands are seen at {base}",
    "Pneumothorax": "a pleural line without lung markings beyond it is seen on the {side} side",
    "Pleural Effusion": "fluid with a meniscus blunts {angle}",
    "Pleural Other": "the pleura is thickened along {wall}",
    "Fracture": "the {side} ribs are interrupted and displaced",
    "Support Devices": "foreign material is seen in the image",
}
EASY = {
    "Edema": "There is too much water inside the lungs.", "Consolidation": "A part of the {side} lung is filled up and holds little air.",
    "Pneumonia": "There may be an infection in {lung}.", "Lung Opacity": "There is a cloudy area in {lung}.",
    "Lung Lesion": "There is a round spot in the {side} lung.", "Atelectasis": "A small part of {lung} is not fully open.",
    "Pleural Effusion": "There is water around {lung}.", "Pneumothorax": "Air has leaked out around the {side} lung.",
    "Pleural Other": "The lining around {lung} is thicker than normal.", "Cardiomegaly": "The heart is bigger than normal.",
    "Enlarged Cardiomediastinum": "The middle of the chest is wider than normal.",
    "Fracture": "Some ribs on the {side} side are broken.", "Support Devices": "Medical devices can be seen.",
}
SEVERITY = {"Cardiomegaly": "mild, moderate, severe", "Edema": "mild, moderate, severe",
            "Pleural Effusion": "small, moderate, large", "Pneumothorax": "small, moderate, large"}
SIDED = ["Consolidation", "Lung Lesion", "Atelectasis", "Pleural Effusion", "Pneumothorax", "Pleural Other", "Fracture", "Pneumonia"]
TASKS = ["findings_complete", "findings_binary", "reasoning", "region", "easy_language", "summarisation", "correction_add",
         "correction_remove", "correction_both", "impression", "view", "radrestruct"]


def both(side, left_right, two):
    return two if side == "bilateral" else left_right.format(side)


def words(d):
    side = d.get("side", "")
    return {"side": side, "lung": both(side, "the {} lung", "both lungs"), "base": both(side, "the {} base", "both bases"),
            "angle": both(side, "the {} costophrenic angle", "both costophrenic angles"),
            "wall": both(side, "the {} chest wall", "both chest walls")}


def tidy(text):
    """A sentence about a finding whose side is not known: a correction tells none."""
    return " ".join(text.split()).replace(" on the side", "")


def spoken(label, rng):
    """How a question names a finding: the label as the data set does, or the report's word for it."""
    return NAME[label] if rng.random() < 0.3 else label.lower()


def listed(found):
    """Positive findings in reading order, without 'No Finding'."""
    return [l for labels in GROUPS.values() for l in labels if l in found]


def choose(rng, options):
    return options[rng.integers(len(options))]


def joined(items):
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def some_finding(rng, found, positive):
    """A present finding with probability `positive` where there is one, else an absent one."""
    present = [l for l in FINDINGS if l in found]
    if present and rng.random() < positive:
        return choose(rng, present)
    return choose(rng, [l for l in FINDINGS if l not in found])


def radrestruct(rng, found):
    kind = rng.integers(4)
    if kind == 0:
        label = some_finding(rng, found, 0.5)
        return f"Are there any signs of {spoken(label, rng)} in the image? Options: yes, no.", "yes" if label in found else "no"
    if kind == 1:
        region = choose(rng, list(REGION))
        return f"Is there any abnormality of the {region}? Options: yes, no.", "yes" if any(l in found for l in REGION_LABELS[region]) else "no"
    here = [l for l in (SIDED if kind == 2 else SEVERITY) if l in found]
    label = choose(rng, here) if here and rng.random() < 0.75 else choose(rng, SIDED if kind == 2 else list(SEVERITY))
    d = found.get(label, {})
    if kind == 2:
        return (f"On which side is the {spoken(label, rng)}? Options: left, right, both, none.",
                {"left": "left", "right": "right", "bilateral": "both"}.get(d.get("side"), "none"))
    return f"What is the degree of the {spoken(label, rng)}? Options: {SEVERITY[label]}, none.", d.get("severity", "none")


def turn(task, rng, truth, variants):
    """(question, answer) of one task."""
    return exchange(task, rng, truth, variants)[:2]


def exchange(task, rng, truth, variants):
    """(question, answer, the findings that the report states afterwards): a correction changes them."""
    if task.startswith("correction"):
        return correction(task.removeprefix("correction_"), rng, truth["findings"], variants)
    return *question(task, rng, truth), truth["findings"]


def question(task, rng, truth):
    found = truth["findings"]
    present = listed(found)
    if task == "findings_complete":
        return choose(rng, ASK[task]), prompt(found)
    if task == "findings_binary":
        label = some_finding(rng, found, 0.5)
        verb = "are" if label == "Support Devices" else "is"
        answer = f"Yes, there {verb} {phrase(label, found[label])}." if label in found else f"No, there {verb} no {NAME[label]}."
        return choose(rng, ASK[task]).format(finding=spoken(label, rng)), answer
    if task == "reasoning":
        label = some_finding(rng, found, 0.85)
        name = NAME[label]
        answer = f"I think of {name} because {tidy(SIGN[label].format(**words(found[label])))}." if label in found else f"I do not see any sign of {name}."
        return choose(rng, ASK[task]).format(finding=spoken(label, rng)), answer
    if task == "region":
        region = choose(rng, list(REGION))
        bad = [phrase(l, found[l]) for l in REGION_LABELS[region] if l in found and not (l == "Lung Opacity" and "with" in found[l])]
        answer = f"No, the {region} {'show' if region in ('lungs', 'bones') else 'shows'} {joined(bad)}." if bad else f"Yes, {HEALTHY[region]}."
        return choose(rng, REGION[region]), answer
    if task == "easy_language":
        lines = [tidy(EASY[l].format(**words(found[l]))) for l in present if "with" not in found[l]]
        return choose(rng, ASK[task]), "In simple words: " + (" ".join(lines) if set(present) - {"Support Devices"} else " ".join(["Your chest looks normal."] + lines))
    if task in ("summarisation", "impression"):
        items = [phrase(l, found[l]) for l in present if "with" not in found[l]]
        if task == "summarisation":
            return choose(rng, ASK[task]), f"In summary, there is {joined(items) if items else 'no acute finding'}."
        items = [i.removeprefix("a ").removeprefix("an ").capitalize() + "." for i in items]
        return choose(rng, ASK[task]), "Impression: " + (" ".join(items) if items else "No acute cardiopulmonary finding.")
    if task == "view":
        return choose(rng, ASK[task]), f"The image was taken in {truth['view']} view."
    return radrestruct(rng, found)


def correction(kind, rng, found, variants):
    absent = [l for l in FINDINGS if l not in found and l != "Lung Opacity"]
    removable = [l for l in listed(found) if "with" not in found[l]]
    if kind != "add" and not removable:
        kind = "add"
    a, b = choose(rng, absent), choose(rng, removable) if removable else None
    new = found
    if kind != "add":
        new = without_finding(new, b)
    if kind != "remove":
        new = with_finding(new, a)
    return choose(rng, ASK[kind]).format(a=spoken(a, rng), b=spoken(b, rng) if b else ""), report(new, variants), new
