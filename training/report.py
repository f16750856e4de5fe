"""Report text from a truth: groups of sentences, each with its own variant, so that a correction changes one group only."""

import numpy as np

import config as c

NAME = {label: label.lower() for label in c.LABELS} | {"Pleural Other": "pleural thickening", "Enlarged Cardiomediastinum": "enlarged cardiomediastinum"}

# Sentences with details, the first variant most often; then the sentence without details that a correction adds.
SENTENCES = {
    "Edema": (["There is {severity} pulmonary edema.", "{Severity} pulmonary edema is seen with perihilar haziness."], "There is pulmonary edema."),
    "Consolidation": (["There is a dense opacity in the {place} in keeping with consolidation.", "A dense opacity in the {place} represents consolidation."], "There is a consolidation."),
    "Pneumonia": (["Patchy opacities in the {place} are concerning for pneumonia.", "There are patchy opacities in the {place} suggesting pneumonia."], "There are signs of pneumonia."),
    "Lung Opacity": (["There is a hazy opacity in the {place}.", "A hazy opacity is seen in the {place}."], "There is a lung opacity."),
    "Lung Lesion": (["There is a {kind} in the {place}.", "A {kind} is seen in the {place}."], "There is a lung lesion."),
    "Atelectasis": (["There is linear atelectasis at the {base}.", "Linear atelectasis is seen at the {base}."], "There is atelectasis."),
    "Pleural Effusion": (["There is a {severity} {side} pleural effusion.", "A {severity} {side} pleural effusion is seen."], "There is a pleural effusion."),
    "Pneumothorax": (["There is a {severity} {side} pneumothorax.", "A {severity} {side} pneumothorax is seen."], "There is a pneumothorax."),
    "Pleural Other": (["There is {side} pleural thickening.", "Pleural thickening is seen, {side}."], "There is pleural thickening."),
    "Cardiomegaly": (["There is {severity} cardiomegaly.", "{Severity} cardiomegaly is present."], "There is cardiomegaly."),
    "Enlarged Cardiomediastinum": (["The mediastinum is widened.", "There is widening of the mediastinum."], "The mediastinum is widened."),
    "Fracture": (["There are displaced {side} rib fractures.", "Displaced {side} rib fractures are seen."], "There is a rib fracture."),
}
DEVICE = {
    "pacemaker": "A pacemaker is in place.", "endotracheal tube": "An endotracheal tube is in place.",
    "central venous line": "A central venous line is in place.", "nasogastric tube": "A nasogastric tube is in place.",
    "chest tube": "A {side} chest tube is in place.", "sternotomy wires": "Sternotomy wires are present.",
}
LUNG = ["Edema", "Consolidation", "Pneumonia", "Lung Opacity", "Lung Lesion", "Atelectasis"]
GROUPS = {
    "lungs": LUNG, "pleura": ["Pleural Effusion", "Pneumothorax", "Pleural Other"],
    "heart": ["Cardiomegaly", "Enlarged Cardiomediastinum"], "bones": ["Fracture"], "devices": ["Support Devices"],
}
GROUP_OF = {label: group for group, labels in GROUPS.items() for label in labels}


def place(d):
    if d["side"] == "bilateral":
        return f"{d['zone']} zones of both lungs"
    return f"{d['side']} {d['zone']} lung"


def details(d):
    side = d.get("side")
    out = dict(d)
    if "severity" in d:
        out["Severity"] = d["severity"].capitalize()
    if "zone" in d and side:
        out["place"] = place(d)
    if side:
        out["base"] = "bases of both lungs" if side == "bilateral" else f"base of the {side} lung"
    return out


def sentence(label, d, variant):
    detailed, plain = SENTENCES[label]
    return detailed[variant % 2].format(**details(d)) if set(d) - {"with"} or label == "Enlarged Cardiomediastinum" else plain


def group_text(group, found, variant):
    """The sentences of one group: its findings, then the pertinent negatives."""
    has = lambda label: label in found
    out = [sentence(l, found[l], variant) for l in GROUPS[group] if l in SENTENCES and has(l) and "with" not in found[l]]
    if group == "lungs":
        if not out:
            out.append(["The lungs are clear.", "Both lungs are clear."][variant])
        elif not (has("Consolidation") or has("Pneumonia") or has("Lung Opacity")):
            out.append("There is no focal consolidation.")
    elif group == "pleura":
        fluid, air = has("Pleural Effusion"), has("Pneumothorax")
        if not fluid and not air:
            out.append(["There is no pleural effusion or pneumothorax.", "No pleural effusion or pneumothorax is seen."][variant])
        elif not air:
            out.append("There is no pneumothorax.")
        elif not fluid:
            out.append("There is no pleural effusion.")
    elif group == "heart":
        big, wide = has("Cardiomegaly"), has("Enlarged Cardiomediastinum")
        if not big and not wide:
            out.append(["The cardiomediastinal silhouette is normal.", "The heart and mediastinum are normal."][variant])
        elif not wide:
            out.append("The mediastinal contours are normal.")
        elif not big:
            out.append("The heart size is normal.")
    elif group == "bones" and not out:
        out.append(["No acute osseous abnormality is seen.", "The osseous structures are intact."][variant])
    elif group == "devices" and has("Support Devices"):
        d = found["Support Devices"]
        out = [DEVICE[k].format(**d) for k in d["kinds"]] if d.get("kinds") else ["Support devices are in place."]
    return " ".join(out)


def variants(rng):
    """One variant for each group; the first is the commoner one, so that greedy decoding settles on it."""
    return {g: int(rng.random() < 0.25) for g in GROUPS}


def report(found, chosen):
    return " ".join(t for t in (group_text(g, found, chosen[g]) for g in GROUPS) if t)


def with_finding(found, label):
    """The facts after 'the patient also has …': no side, no severity. CheXpert's rules hold as in `truth.py`."""
    new = {k: v for k, v in found.items() if k != "No Finding" or label == "Support Devices"}
    new[label] = {}
    if label in ("Consolidation", "Pneumonia"):
        new.setdefault("Lung Opacity", {"with": label})
    return new


def without_finding(found, label):
    new = {k: v for k, v in found.items() if k != label}
    opacity = new.get("Lung Opacity", {})
    if opacity.get("with") == label:
        other = {"Consolidation": "Pneumonia", "Pneumonia": "Consolidation"}[label]
        if other in new:
            new["Lung Opacity"] = {"with": other}
        else:
            del new["Lung Opacity"]
    if not set(new) - {"Support Devices"}:
        new["No Finding"] = {}
    return new


def phrase(label, d):
    """A finding as a noun phrase with the details that are known, for answers."""
    side, severity = d.get("side", ""), d.get("severity", "")
    words = {
        "Pleural Effusion": ["a", severity, side, "pleural effusion"], "Pneumothorax": ["a", severity, side, "pneumothorax"],
        "Cardiomegaly": [severity, "cardiomegaly"], "Edema": [severity, "edema"], "Enlarged Cardiomediastinum": ["an enlarged cardiomediastinum"],
        "Pleural Other": [side, "pleural thickening"], "Atelectasis": [side, "atelectasis"], "Fracture": ["a", side, "rib fracture"],
        "Lung Lesion": ["a", side, "lung lesion"], "Lung Opacity": ["a lung opacity"], "Consolidation": ["a", side, "consolidation"],
        "Pneumonia": [side, "pneumonia"], "Support Devices": ["support devices"],
    }[label]
    return " ".join(w for w in words if w)


def prompt(found):
    return c.prompt_findings([label in found for label in c.LABELS])


def rng_of(*key):
    return np.random.default_rng(key)
