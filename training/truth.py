"""What a synthetic film shows: drawn first, so that the picture and every text come from the same facts."""

import numpy as np

from config import LABELS

ZONES = ["upper", "mid", "lower"]
DEVICES = ["pacemaker", "endotracheal tube", "central venous line", "nasogastric tube", "chest tube", "sternotomy wires"]


def pick(rng, options, weights=None):
    return options[rng.choice(len(options), p=weights)]


def sides(rng, both):
    return pick(rng, ["left", "right", "bilateral"], [(1 - both) / 2, (1 - both) / 2, both])


def draw(rng):
    """One truth: {view, findings: {label: details}, labels: [14 bool]}. Details: side, zone, severity, kind, count."""
    f = {}
    chance = lambda p: rng.random() < p
    if not chance(0.22):
        while not f:
            if chance(0.22):
                f["Cardiomegaly"] = {"severity": pick(rng, ["mild", "moderate", "severe"])}
            if chance(0.13):
                f["Enlarged Cardiomediastinum"] = {}
            if chance(0.14 + 0.15 * ("Cardiomegaly" in f)):
                f["Edema"] = {"severity": pick(rng, ["mild", "moderate", "severe"]), "side": "bilateral"}
            focal = [k for k, p in (("Consolidation", 0.13), ("Pneumonia", 0.13), ("Lung Opacity", 0.11)) if chance(p)]
            for k in focal[:2]:
                f[k] = {"side": sides(rng, 0.15 if k == "Pneumonia" else 0.0), "zone": pick(rng, ZONES, [0.3, 0.3, 0.4])}
            if chance(0.14):
                kind = pick(rng, ["nodule", "mass"])
                f["Lung Lesion"] = {"side": sides(rng, 0.0), "zone": pick(rng, ZONES), "kind": kind}
            if chance(0.15):
                f["Atelectasis"] = {"side": sides(rng, 0.35), "zone": "lower"}
            if chance(0.22):
                f["Pleural Effusion"] = {"side": sides(rng, 0.3), "severity": pick(rng, ["small", "moderate", "large"], [0.4, 0.35, 0.25])}
            if chance(0.14):
                f["Pneumothorax"] = {"side": sides(rng, 0.0), "severity": pick(rng, ["small", "moderate", "large"])}
            if chance(0.12):
                f["Pleural Other"] = {"side": sides(rng, 0.15)}
            if chance(0.13):
                f["Fracture"] = {"side": sides(rng, 0.0)}
    if "Cardiomegaly" in f:  # a large heart hides the lower zones
        for k in ("Consolidation", "Pneumonia", "Lung Opacity", "Lung Lesion"):
            if f.get(k, {}).get("zone") == "lower":
                f[k]["zone"] = pick(rng, ["upper", "mid"])
    # The drawn side of air and the drawn side of much fluid exclude each other: one would hide the other.
    air, fluid = f.get("Pneumothorax"), f.get("Pleural Effusion")
    if air and fluid:
        air["side"], fluid["side"] = ("left", "right") if chance(0.5) else ("right", "left")
    if fluid and fluid["severity"] == "large" and "Atelectasis" in f:
        del f["Atelectasis"]
    if "Consolidation" in f or "Pneumonia" in f:
        f.setdefault("Lung Opacity", {"with": "Consolidation" if "Consolidation" in f else "Pneumonia"})
    if f.get("Pleural Other") and (air or fluid):
        side = (air or fluid)["side"]
        if side == "bilateral":
            del f["Pleural Other"]
        else:
            f["Pleural Other"]["side"] = "left" if side == "right" else "right"
    view = pick(rng, ["PA", "AP"])
    if chance(0.38 if view == "AP" else 0.2):
        count = 1 if chance(0.65) else 2
        f["Support Devices"] = {"kinds": sorted(rng.choice(len(DEVICES), count, replace=False).tolist()), "side": sides(rng, 0.0)}
        f["Support Devices"]["kinds"] = [DEVICES[i] for i in f["Support Devices"]["kinds"]]
        if "chest tube" in f["Support Devices"]["kinds"] and air:
            f["Support Devices"]["side"] = air["side"]
    if not set(f) - {"Support Devices"}:
        f["No Finding"] = {}
    return {"view": view, "findings": f, "labels": [label in f for label in LABELS]}


def truth_of(seed):
    return draw(np.random.default_rng([seed, 1]))
