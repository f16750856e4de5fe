"""Draws a synthetic frontal chest film from a truth: a float image, 0 = air and 1 = metal, and boxes of what it shows.

Chest coordinates: p to the image's right (the patient's left), q downward, both about -1...1 over the shorter side.
"""

import cv2
import numpy as np

import findings_drawn as drawn


def soft(distance, width):
    """0...1 edge: positive distance is inside. A clipped ramp, much cheaper than a sigmoid."""
    return np.clip(distance / (2 * width) + 0.5, 0, 1)


class Chest:
    """The canvas and the anatomy's measures that findings refer to."""

    def __init__(self, rng, truth, rows, columns):
        self.rng, self.truth, self.rows, self.columns = rng, truth, rows, columns
        self.half = min(rows, columns) / 2
        f, ap = truth["findings"], truth["view"] == "AP"
        u = rng.uniform
        self.scale = u(0.93, 1.07)
        self.angle = np.deg2rad(rng.normal(0, 2.5 if ap else 1.2))
        self.shift = rng.normal(0, 0.02, 2)
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
        a, b = self.to_chest(x, y)
        self.p, self.q = a.astype(np.float32), b.astype(np.float32)
        self.chest_width = u(0.66, 0.74)
        self.apex = u(-0.74, -0.66)
        self.right_dome = u(0.36, 0.46) - (0.08 if ap else 0.0)
        self.left_dome = self.right_dome + u(0.01, 0.06)
        size = f.get("Cardiomegaly", {}).get("severity")
        ratio = {None: u(0.41, 0.49), "mild": u(0.575, 0.61), "moderate": u(0.62, 0.665), "severe": u(0.68, 0.74)}[size]
        self.heart_radius = ratio * self.chest_width
        self.heart_centre = (0.10 * ratio / 0.45, self.right_dome - 0.16 + u(-0.02, 0.02))
        self.mediastinum = u(0.20, 0.26) if "Enlarged Cardiomediastinum" in f else u(0.085, 0.12)
        self.boxes = []

    def to_chest(self, x, y):
        a, b = (x - self.columns / 2) / self.half, (y - self.rows / 2) / self.half
        c, s = np.cos(self.angle) / self.scale, np.sin(self.angle) / self.scale
        return c * a + s * b - self.shift[0], -s * a + c * b - self.shift[1]

    def to_pixel(self, p, q):
        """Chest coordinates -> pixel (x, y)."""
        p, q = p + self.shift[0], q + self.shift[1]
        c, s = np.cos(self.angle) * self.scale, np.sin(self.angle) * self.scale
        return (c * p - s * q) * self.half + self.columns / 2, (s * p + c * q) * self.half + self.rows / 2

    def wall(self, q):
        """Half width of the rib cage's inside at height q."""
        t = np.clip((q - self.apex) / 0.62, 0, 1)
        return self.chest_width * (0.30 + 0.70 * np.sqrt(np.clip(1 - (1 - t) ** 2.2, 0, 1))) * (1 + 0.03 * np.clip(q, 0, 1))

    def dome(self, p):
        """Height of the diaphragm at p; it falls towards the costophrenic angle."""
        top = np.where(p < 0, self.right_dome, self.left_dome)
        return top + 1.15 * (np.abs(p) - 0.30) ** 2

    def angle_height(self, side):
        """q of the costophrenic angle on 'left' or 'right'."""
        return float(self.dome(np.array(side_sign(side) * self.chest_width * 1.0)))

    def window(self, p, q, radius):
        """(slices, p, q) of the square around a point: small things are drawn there only."""
        x, y = self.to_pixel(p, q)
        r = radius * self.half * self.scale + 3
        rows = slice(max(int(y - r), 0), min(int(y + r) + 1, self.rows))
        columns = slice(max(int(x - r), 0), min(int(x + r) + 1, self.columns))
        return (rows, columns), self.p[rows, columns], self.q[rows, columns]

    def line(self, points, width, value, image, alpha=1.0):
        """An antialiased polyline of `width` (chest units) blended towards `value`."""
        pixels = np.array([self.to_pixel(a, b) for a, b in points])
        thickness = max(1, int(round(width * self.half * self.scale)))
        low = np.maximum(pixels.min(0).astype(int) - thickness - 2, 0)
        high = np.minimum(pixels.max(0).astype(int) + thickness + 3, [self.columns, self.rows])
        if (high <= low).any():
            return
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        cv2.polylines(mask, [np.round((pixels - low) * 16).astype(np.int32)], False, 255, thickness, cv2.LINE_AA, 4)
        part = image[low[1]:high[1], low[0]:high[0]]
        part += mask.astype(np.float32) * (alpha / 255) * (value - part)

    def box(self, label, p, q, rp, rq):
        self.boxes.append((label, p, q, rp, rq))


def side_sign(side):
    """The patient's left is on the image's right."""
    return 1 if side == "left" else -1


def texture(rng, rows, columns, cell):
    """Smooth noise of about unit variance with features of `cell` pixels."""
    small = rng.normal(0, 1, (max(2, int(rows / cell) + 2), max(2, int(columns / cell) + 2))).astype(np.float32)
    return cv2.resize(small, (columns, rows), interpolation=cv2.INTER_CUBIC)


def anatomy(chest):
    """(image, soft lung mask) without findings other than heart and mediastinum."""
    rng, p, q = chest.rng, chest.p, chest.q
    u, ap, h = rng.uniform, chest.truth["view"] == "AP", chest.half
    side = np.abs(p)
    wall, dome = chest.wall(q), chest.dome(p)
    body = soft(np.minimum(chest.chest_width + 0.17 + 0.25 * np.clip(0.15 - q, 0, 0.35) - side, q + 0.86 + 0.10 * (0.35 - side)), 0.02)
    image = 0.02 + body * u(0.52, 0.60)
    lung = soft(np.minimum(wall - side, side - 0.09), 0.012) * soft(np.minimum(dome - q, q - chest.apex), 0.012)
    cell = h / 128
    markings = 0.6 * texture(rng, chest.rows, chest.columns, 7 * cell) + 0.4 * texture(rng, chest.rows, chest.columns, 16 * cell)
    hilar = np.exp(-((side - 0.20) / 0.22) ** 2 - ((q + 0.02) / 0.35) ** 2)
    air = u(0.16, 0.22) + 0.09 * hilar + markings * (0.012 + 0.03 * hilar)
    image += lung * (air - image)
    abdomen = soft(q - dome, 0.01) * body
    image += abdomen * (u(0.66, 0.74) - image) * soft(chest.chest_width + 0.08 - side, 0.04)
    if rng.random() < 0.5:
        part, a, b = chest.window(0.32, chest.left_dome + 0.13, 0.14)
        image[part] -= 0.28 * soft(1 - np.hypot((a - 0.32) / 0.12, (b - chest.left_dome - 0.13) / 0.06), 0.15)
    spine = soft(0.065 - side, 0.012) * (0.03 + 0.02 * np.sin(q * 42))
    hp, hq = chest.heart_centre
    tilt = (q - hq) * 0.35
    heart = soft((1 - np.hypot((p - hp - tilt) / chest.heart_radius, (q - hq) / (0.24 + 0.30 * chest.heart_radius))) * 0.3, 0.012)
    heart *= soft(dome + 0.06 - q, 0.02)
    upper = soft(chest.mediastinum - side, 0.012) * soft(0.25 - q, 0.05) * soft(q + 0.95, 0.05)
    knob = 0.07 + 0.5 * (chest.mediastinum - 0.1)
    upper = np.maximum(upper, soft(knob - np.hypot(p - chest.mediastinum * 0.75, q + 0.33), 0.012))
    middle = np.maximum(heart, upper) * body
    image += middle * (u(0.66, 0.72) - image)
    image += spine * body
    for sign in (-1, 1):  # hila
        part, a, b = chest.window(sign * 0.17, 0.0, 0.16)
        image[part] += 0.10 * soft(1 - np.hypot((a - sign * 0.17) / 0.07, (b - 0.0) / 0.11), 0.4)
    ribs(chest, image, side, wall, body)
    shoulders(chest, image, ap)
    return image, lung * (1 - middle)


def rib_height(chest, side, k):
    """q of the posterior rib k at distance `side` from the midline: up and out, then down."""
    return chest.apex + 0.02 + 0.125 * k - 0.05 + 0.55 * (side - 0.25) ** 2 + 0.10 * (side - 0.1)


def ribs(chest, image, side, wall, body):
    fade = soft(wall + 0.03 - side, 0.015) * soft(side - 0.07, 0.03) * soft(chest.right_dome + 0.25 - chest.q, 0.1)
    strength = chest.rng.uniform(0.05, 0.075)
    posterior = (chest.q - rib_height(chest, side, 0)) / 0.125
    anterior = (chest.q + 0.50 - 0.55 * (0.75 - side) + 0.0) / 0.15
    for phase, lowest, amount in ((posterior, -0.4, strength), (anterior, 0.6, 0.45 * strength)):
        distance = np.abs(phase - np.rint(phase))
        image += amount * fade * soft(0.17 - distance, 0.05) * (phase > lowest)
    rim = soft(0.016 - np.abs(side - wall - 0.012), 0.01) * soft(chest.q - chest.apex - 0.15, 0.1) * soft(0.5 - chest.q, 0.1)
    image += 0.10 * rim * body


def shoulders(chest, image, ap):
    rng = chest.rng
    for sign in (-1, 1):
        high = -0.62 if ap else -0.56
        points = [(sign * a, high + b + rng.normal(0, 0.004)) for a, b in
                  ((0.07, 0.06), (0.2, 0.02 if ap else 0.04), (0.36, 0.0 if ap else -0.03), (0.55, -0.02 if ap else -0.09), (0.72, -0.05 if ap else -0.12))]
        chest.line(points, 0.05, 0.68, image, 0.35)
        if ap:  # scapulae lie over the lungs
            blade = np.array([chest.to_pixel(sign * a, b) for a, b in ((0.50, -0.52), (0.44, -0.30), (0.52, 0.02), (0.60, 0.02), (0.82, -0.35), (0.8, -0.52))])
            mask = np.zeros(image.shape, np.uint8)
            cv2.fillPoly(mask, [np.round(blade * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
            image += mask.astype(np.float32) * (0.085 / 255)


def film(seed, truth, size=None):
    """(float32 image 0...1 [rows, columns], boxes [(label, u, v, ru, rv)] in units of half the shorter side)."""
    rng = np.random.default_rng([seed, 2])
    short = size or int(rng.integers(256, 300))
    ratio = rng.uniform(1.0, 1.22)
    rows, columns = (short, int(short * ratio)) if rng.random() < 0.45 else (int(short * ratio), short)
    chest = Chest(rng, truth, rows, columns)
    image, lung = anatomy(chest)
    drawn.draw_all(chest, image, lung)
    finish(chest, image)
    boxes = []
    for label, p, q, rp, rq in chest.boxes:
        x, y = chest.to_pixel(p, q)
        boxes.append((label, (x - columns / 2) / chest.half, (y - rows / 2) / chest.half, rp * chest.scale, rq * chest.scale))
    return image, boxes


def finish(chest, image):
    """Blur, noise, exposure, markers and collimation."""
    rng, h = chest.rng, chest.half
    cv2.GaussianBlur(image, (0, 0), h / 128 * rng.uniform(0.4, 0.8), dst=image)
    noise = cv2.GaussianBlur(rng.standard_normal(image.shape, dtype=np.float32), (0, 0), 0.6 * h / 128)
    image += noise * (rng.uniform(0.006, 0.016) * h / 128)
    np.clip(image, 0, 1, out=image)
    np.power(image, rng.uniform(0.75, 1.3), out=image)
    if rng.random() < 0.6:
        corner = (int(chest.columns * 0.86), int(chest.rows * 0.09)) if rng.random() < 0.7 else (int(chest.columns * 0.9), int(chest.rows * 0.5))
        size, thick = int(0.05 * h), max(1, int(h / 70))
        letter = np.array([corner, (corner[0], corner[1] + 2 * size), (corner[0] + size, corner[1] + 2 * size)], np.int32)
        cv2.polylines(image, [letter], False, 0.98, thick)  # the side marker, an L
    if rng.random() < 0.4:
        border = rng.uniform(0.0, 0.05, 4) * h * 2
        t, b, l, r = (int(v) for v in border)
        value = 0.0 if rng.random() < 0.7 else 0.9
        image[:t], image[:, :l] = value, value
        if b:
            image[-b:] = value
        if r:
            image[:, -r:] = value
