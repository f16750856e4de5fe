"""One function per finding: changes the image inside the lungs and records where it stands."""

import numpy as np


def soft(distance, width):
    return np.clip(distance / (2 * width) + 0.5, 0, 1)


def signs(side):
    return {"left": [1], "right": [-1], "bilateral": [1, -1]}[side]


def zone_centre(chest, sign, zone, inset=0.5):
    """A point in the upper, mid or lower third of a lung, off the heart."""
    u = chest.rng.uniform
    top, bottom = chest.apex, chest.dome(np.array(sign * 0.4)).item()
    t = {"upper": u(0.22, 0.30), "mid": u(0.47, 0.57), "lower": u(0.74, 0.82)}[zone]
    q = top + t * (bottom - top)
    inner = 0.13
    if q > chest.heart_centre[1] - 0.2:
        inner = max(0.13, chest.heart_radius * 0.8 + sign * chest.heart_centre[0])
    outer = float(chest.wall(np.array(q)))
    inner = min(inner, outer - 0.16)
    return sign * (inner + (outer - inner) * (inset + u(-0.12, 0.12))), q


def blend(image, part, mask, value):
    image[part] += mask * (value - image[part])


def edema(chest, image, lung, d):
    strength = {"mild": 0.46, "moderate": 0.60, "severe": 0.75}[d["severity"]] * chest.rng.uniform(0.92, 1.08)
    side = np.abs(chest.p)
    wings = np.exp(-((side - 0.25) / 0.19) ** 2 - ((chest.q - 0.0) / 0.30) ** 2)
    rng = chest.rng
    grain = np.clip(0.8 + 0.5 * np.sin(chest.p * 95 + 6 * chest.q) * np.sin(chest.q * 80 + 3), 0, 1.4)
    image += lung * wings * strength * grain * (0.62 - image)
    for sign in (1, -1):
        for _ in range(5):  # septal lines at the lateral bases
            q = chest.right_dome - rng.uniform(0.0, 0.3)
            wall = float(chest.wall(np.array(q))) - 0.015
            chest.line([(sign * wall, q), (sign * (wall - 0.09), q + 0.012)], 0.010, 0.55, image, 0.6)
        chest.box("Edema", sign * 0.27, 0.0, 0.17, 0.26)


def consolidation(chest, image, lung, d):
    rng = chest.rng
    for sign in signs(d["side"]):
        p, q = zone_centre(chest, sign, d["zone"])
        rp, rq = rng.uniform(0.16, 0.21), rng.uniform(0.14, 0.19)
        part, a, b = chest.window(p, q, 0.3)
        shape = np.maximum(np.abs((a - p) / rp) * 0.75, np.abs((b - q + 0.3 * (a - p)) / rq)) + 0.25 * np.hypot((a - p) / rp, (b - q) / rq)
        blend(image, part, 0.88 * soft((1.12 - shape) * 0.17, 0.02) * lung[part], rng.uniform(0.62, 0.68))
        for k in range(4):  # air bronchograms
            angle = rng.uniform(-0.8, 0.8) + (0 if sign > 0 else np.pi)
            start = (p - 0.10 * np.cos(angle), q + rng.uniform(-0.08, 0.08))
            end = (start[0] + 0.2 * np.cos(angle), start[1] + 0.2 * np.sin(angle))
            chest.line([start, end], 0.014, 0.22, image, 0.65)
        chest.box("Consolidation", p, q, rp, rq)
        chest.box("Lung Opacity", p, q, rp, rq)


def pneumonia(chest, image, lung, d):
    rng = chest.rng
    for sign in signs(d["side"]):
        p, q = zone_centre(chest, sign, d["zone"])
        for _ in range(rng.integers(9, 13)):
            radius, turn = rng.uniform(0, 0.17), rng.uniform(0, 2 * np.pi)
            a0, b0, r = p + radius * np.cos(turn), q + radius * np.sin(turn), rng.uniform(0.028, 0.05)
            part, a, b = chest.window(a0, b0, 0.09)
            blend(image, part, 0.68 * np.exp(-((a - a0) ** 2 + (b - b0) ** 2) / r**2) * lung[part], 0.62)
        chest.box("Pneumonia", p, q, 0.17, 0.17)
        chest.box("Lung Opacity", p, q, 0.17, 0.17)


def opacity(chest, image, lung, d):
    if "with" in d:
        return  # the consolidation or the pneumonia is the opacity
    for sign in signs(d["side"]):
        p, q = zone_centre(chest, sign, d["zone"])
        rp, rq = chest.rng.uniform(0.17, 0.22, 2)
        part, a, b = chest.window(p, q, 0.45)
        blend(image, part, 0.62 * np.exp(-((a - p) / rp) ** 2 - ((b - q) / rq) ** 2) * lung[part], 0.60)
        chest.box("Lung Opacity", p, q, rp * 0.8, rq * 0.8)


def lesion(chest, image, lung, d):
    rng = chest.rng
    for sign in signs(d["side"]):
        p, q = zone_centre(chest, sign, d["zone"], 0.55)
        r = rng.uniform(0.042, 0.055) if d["kind"] == "nodule" else rng.uniform(0.085, 0.12)
        part, a, b = chest.window(p, q, 0.2)
        turn = np.arctan2(b - q, a - p)
        edge = r * (1 + 0.06 * np.sin(5 * turn + rng.uniform(0, 6)))
        blend(image, part, 0.92 * soft(edge - np.hypot(a - p, b - q), 0.008), rng.uniform(0.66, 0.74))
        chest.box("Lung Lesion", p, q, max(r, 0.07), max(r, 0.07))


def atelectasis(chest, image, lung, d):
    rng = chest.rng
    for sign in signs(d["side"]):
        base = float(chest.dome(np.array(sign * 0.4)))
        tilt = rng.uniform(-0.25, 0.25)
        for k in range(rng.integers(2, 4)):
            q = base - 0.06 - 0.055 * k
            p = sign * rng.uniform(0.40, 0.48)
            length = rng.uniform(0.11, 0.15)
            chest.line([(p - length, q - tilt * length), (p + length, q + tilt * length)], 0.022, 0.66, image, 0.8)
        chest.box("Atelectasis", sign * 0.44, base - 0.11, 0.15, 0.09)


def effusion(chest, image, lung, d):
    for sign in signs(d["side"]):
        side = "left" if sign > 0 else "right"
        height = {"small": (0.15, 0.20), "moderate": (0.30, 0.40), "large": (0.55, 0.75)}[d["severity"]]
        height = chest.rng.uniform(*height)
        corner = chest.angle_height(side)
        inset = np.clip(chest.wall(chest.q) - np.abs(chest.p), 0, None)
        surface = corner - height - 0.16 * np.exp(-inset / 0.06)
        mask = soft(chest.q - surface, 0.012) * (np.sign(chest.p) == sign) * soft(corner + 0.1 - chest.q, 0.02)
        cavity = soft(chest.wall(chest.q) - np.abs(chest.p), 0.012) * soft(np.abs(chest.p) - 0.09, 0.012)
        image += 0.93 * mask * cavity * (0.70 - image) * (image < 0.71)
        chest.box("Pleural Effusion", sign * (chest.chest_width - 0.13), corner - height * 0.6, 0.13, height * 0.55)


def pneumothorax(chest, image, lung, d):
    rng = chest.rng
    for sign in signs(d["side"]):
        depth, reach = {"small": (0.11, 0.0), "moderate": (0.17, 0.25), "large": (0.27, 0.7)}[d["severity"]]
        depth *= rng.uniform(0.95, 1.1)
        end = reach + rng.uniform(-0.05, 0.05)
        taper = np.clip((end - chest.q) / 0.45, 0, 1) ** 0.5 if reach < 0.6 else 1.0
        inset = np.minimum(chest.wall(chest.q) - np.abs(chest.p), (chest.q - chest.apex) * 0.9)
        gap = depth * taper
        mine = (np.sign(chest.p) == sign) * lung
        bare = soft(gap - inset, 0.008) * mine
        image += bare * 0.9 * (0.07 - image)
        line = soft(0.011 - np.abs(inset - gap), 0.006) * mine * (gap > 0.02)
        image += line * 0.85 * (0.62 - image)
        chest.box("Pneumothorax", sign * 0.45, chest.apex + 0.22, 0.2, 0.2)
        if reach > 0:
            chest.box("Pneumothorax", sign * (chest.chest_width - 0.1), -0.1, 0.1, 0.2)


def thickening(chest, image, lung, d):
    rng = chest.rng
    for sign in signs(d["side"]):
        start, length, depth = rng.uniform(-0.42, -0.28), rng.uniform(0.40, 0.5), rng.uniform(0.05, 0.07)
        inset = chest.wall(chest.q) - np.abs(chest.p)
        wave = depth * (0.85 + 0.3 * np.sin(chest.q * 45 + rng.uniform(0, 6)))
        mask = soft(wave - inset, 0.008) * soft(np.minimum(chest.q - start, start + length - chest.q), 0.04)
        mask *= (np.sign(chest.p) == sign) * (inset > -0.01)
        image += 0.9 * mask * (0.76 - image)
        middle = start + length / 2
        chest.box("Pleural Other", sign * (float(chest.wall(np.array(middle))) - 0.04), middle, 0.07, length / 2)


def fracture(chest, image, lung, d):
    rng = chest.rng
    for sign in signs(d["side"]):
        first = rng.integers(3, 6)
        for k in range(first, first + rng.integers(2, 4)):
            side = rng.uniform(0.46, 0.52)
            height = lambda s: chest.apex - 0.03 + 0.125 * k + 0.55 * (s - 0.25) ** 2 + 0.10 * (s - 0.1)
            p, q, drop = sign * side, height(side), rng.choice([-1, 1]) * 0.028
            for end, offset in ((-0.13, drop), (0.11, -drop)):  # two displaced, sclerotic ends
                stop = side + end
                chest.line([(p + sign * np.sign(end) * 0.014, q + offset), (sign * stop, height(stop))], 0.036, 0.86, image, 0.75)
            chest.line([(p, q - 0.055), (p + sign * 0.008, q + 0.055)], 0.018, 0.08, image, 0.85)
            chest.box("Fracture", p, q, 0.1, 0.08)


def devices(chest, image, lung, d):
    rng = chest.rng
    u, bright = rng.uniform, 1.0
    for kind in d["kinds"]:
        if kind == "pacemaker":
            p, q = u(0.48, 0.54), u(-0.50, -0.42)
            part, a, b = chest.window(p, q, 0.13)
            blend(image, part, soft(np.minimum(0.075 - np.abs(a - p), 0.06 - np.abs(b - q)), 0.01), bright)
            hp, hq = chest.heart_centre
            for target in ((hp - 0.1, hq - 0.1), (hp + 0.2, hq + 0.16)):
                chest.line([(p, q), (0.3, -0.56), (0.05, -0.48), (-0.08, -0.2), (-0.08, hq - 0.1), target], 0.014, bright, image, 0.95)
            chest.box("Support Devices", p, q, 0.1, 0.1)
        elif kind == "endotracheal tube":
            end = u(-0.36, -0.28)
            chest.line([(0.0, -1.1), (u(-0.01, 0.01), -0.7), (0.0, end)], 0.034, 0.97, image, 0.8)
            chest.box("Support Devices", 0, -0.55, 0.07, 0.22)
        elif kind == "central venous line":
            start = (-0.30, -1.0) if rng.random() < 0.5 else (-0.8, -0.62)
            chest.line([start, (-0.22, -0.66), (-0.10, -0.5), (-0.09, u(-0.1, 0.0))], 0.017, bright, image, 0.95)
            chest.box("Support Devices", -0.15, -0.4, 0.1, 0.3)
        elif kind == "nasogastric tube":
            chest.line([(0.02, -1.1), (0.025, -0.3), (0.03, 0.2), (0.1, chest.left_dome + 0.1), (0.3, chest.left_dome + 0.2)], 0.02, bright, image, 0.95)
            chest.box("Support Devices", 0.03, 0.0, 0.07, 0.6)
        elif kind == "chest tube":
            sign = 1 if d["side"] == "left" else -1
            chest.line([(sign * 0.95, 0.3), (sign * 0.62, 0.16), (sign * 0.42, -0.1), (sign * 0.36, u(-0.42, -0.34))], 0.03, 0.97, image, 0.9)
            chest.box("Support Devices", sign * 0.45, 0.0, 0.15, 0.3)
        elif kind == "sternotomy wires":
            for k in range(5):
                q = -0.42 + 0.16 * k
                chest.line([(-0.05, q), (0.0, q - 0.025), (0.05, q), (0.0, q + 0.025), (-0.05, q)], 0.014, bright, image, 0.95)
            chest.box("Support Devices", 0.0, -0.1, 0.08, 0.36)


ORDER = [
    ("Edema", edema), ("Lung Opacity", opacity), ("Pneumonia", pneumonia), ("Consolidation", consolidation),
    ("Atelectasis", atelectasis), ("Lung Lesion", lesion), ("Pneumothorax", pneumothorax), ("Pleural Other", thickening),
    ("Pleural Effusion", effusion), ("Fracture", fracture), ("Support Devices", devices),
]


def draw_all(chest, image, lung):
    """Draws every finding of the truth; heart and mediastinum are part of the anatomy."""
    found = chest.truth["findings"]
    for label, function in ORDER:
        if label in found:
            function(chest, image, lung, found[label])
    if "Cardiomegaly" in found:
        chest.box("Cardiomegaly", *chest.heart_centre, chest.heart_radius, 0.25)
    if "Enlarged Cardiomediastinum" in found:
        chest.box("Enlarged Cardiomediastinum", 0.0, -0.3, 0.26, 0.3)
