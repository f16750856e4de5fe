"""Preprocessing as the training code did it, by the libraries it used: NumPy, OpenCV, Pillow, torchvision.

    preprocess_oracle.py films OUT FILE...      real films (DICOM through pydicom, others through Pillow)
    preprocess_oracle.py synthetic OUT          odd sizes and depths
    preprocess_oracle.py goldens                the table of PreprocessGoldenTests.swift, on standard output

Writes per case OUT/N.json (what a Radiograph holds), N.values (int32), N.rendered (uint8), N.encoder and N.classifier
(float32, one plane), and last OUT/count. OpenCV is optional: without it equalizeHist is computed by its documented formula.
"""

import hashlib
import io
import json
import os
import sys

import numpy as np
import PIL
from PIL import Image

try:  # Three gigabytes with PyTorch: where it is there, its own answers are compared too.
    import torchvision.transforms as T
except ImportError:
    T = None

try:
    import cv2
except ImportError:
    cv2 = None

SHORTER, ENCODER, CLASSIFIER = 512, 448, 488


def equalize(image):
    if cv2 is not None:
        return cv2.equalizeHist(image)
    histogram = np.bincount(image.ravel(), minlength=256)
    first = int(np.flatnonzero(histogram)[0])
    if histogram[first] == image.size:
        return image.copy()
    scale = np.float32(255.0) / np.float32(image.size - histogram[first])
    sums = np.cumsum(histogram) - histogram[first]
    table = np.rint(sums.astype(np.float32) * scale).clip(0, 255).astype(np.uint8)
    table[: first + 1] = 0
    return table[image]


def jpeg(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=95)
    return np.asarray(Image.open(buffer))


def to_8bit(values):
    values = values - values.min()
    return (values / values.max() * 255).astype(np.uint8)


def modality(case, values):
    lut = case.get("modality_lut")
    if lut:
        return np.asarray(lut["values"])[np.clip(values - lut["first"], 0, len(lut["values"]) - 1)]
    slope, intercept = case.get("slope", 1), case.get("intercept", 0)
    return values * slope + intercept


def gray(case, values):
    if case["photometric"] != "RGB":
        return values
    return np.asarray(Image.fromarray(values.astype(np.uint8), "RGB").convert("L")).astype(np.int64)


def render_mimic(case, values):
    image = to_8bit(gray(case, values) if case["photometric"] == "RGB" else modality(case, values))
    if case["photometric"] == "MONOCHROME1":
        image = 255 - image
    return jpeg(equalize(image))


def render_voi(case, values):
    """PS3.3 C.11.2.1, then rounded to 8 bit."""
    if case["photometric"] == "RGB":
        return gray(case, values).astype(np.uint8)
    x = modality(case, values).astype(np.float64)
    if case.get("voi_lut"):
        lut = case["voi_lut"]
        entries = np.asarray(lut["values"])
        y = entries[np.clip(np.rint(x - lut["first"]).astype(int), 0, len(entries) - 1)]
        y = y / (2 ** int(entries.max()).bit_length() - 1)
    elif case.get("window"):
        c, w, function = case["window"]["center"], case["window"]["width"], case["window"]["function"]
        if function == "LINEAR":
            y = np.where(x <= c - 0.5 - (w - 1) / 2, 0.0,
                np.where(x > c - 0.5 + (w - 1) / 2, 1.0, (x - (c - 0.5)) / max(w - 1, 1e-300) + 0.5))
        elif function == "LINEAR_EXACT":
            y = np.where(x <= c - w / 2, 0.0, np.where(x > c + w / 2, 1.0, (x - c) / w + 0.5))
        else:
            y = 1 / (1 + np.exp(-4 * (x - c) / w))
    else:
        image = to_8bit(modality(case, values))
        return 255 - image if inverted(case) else image
    image = np.floor(y * 255 + 0.5).astype(np.uint8)
    return 255 - image if inverted(case) else image


def inverted(case):
    return case["photometric"] == "MONOCHROME1" or case.get("inverse", False)


def resize(image):
    """torchvision's Resize(512), horizontally first: what Pillow did up to 12 and the training saw. Pillow 13 turns the order round
    for a picture more than about twice as high as wide (Pillow #9549); two calls keep it."""
    width, height = image.size
    longer = int(SHORTER * max(width, height) / min(width, height))
    size = (SHORTER, longer) if width <= height else (longer, SHORTER)
    resized = image.resize((size[0], height), Image.BILINEAR).resize(size, Image.BILINEAR)
    if T and (height < 2 * width or PIL.__version__ < "13"):
        assert np.array_equal(np.asarray(resized), np.asarray(T.Resize(SHORTER)(image)))
    return resized


def crops(rendered):
    """As the authors load an image: remap_to_uint8, Resize(512), CenterCrop, ToTensor."""
    array = rendered.astype(float)
    array -= array.min()
    array /= array.max()
    array *= 255
    image = Image.fromarray(array.astype(np.uint8)).convert("L")
    image = resize(image)
    return [crop(image, side) for side in (ENCODER, CLASSIFIER)]


def crop(image, side):
    """torchvision's CenterCrop (its offsets, rounded half to even) and ToTensor."""
    left, top = (int(round((length - side) / 2.0)) for length in image.size)
    cropped = np.asarray(image)[top : top + side, left : left + side].astype(np.float32) / np.float32(255)
    if T:
        assert np.array_equal(cropped, T.Compose([T.CenterCrop(side), T.ToTensor()])(image).numpy()[0])
    return cropped


def write(out, index, case, values):
    case["rows"], case["columns"] = values.shape[:2]
    case["constant"] = bool(values.min() == values.max())
    base = os.path.join(out, str(index))
    values.astype("<i4").tofile(base + ".values")
    with open(base + ".json", "w") as file:
        json.dump(case, file)
    if case["constant"]:
        return
    rendered = (render_voi if case["rendering"] == "voi" else render_mimic)(case, values)
    encoder, classifier = crops(rendered)
    rendered.astype(np.uint8).tofile(base + ".rendered")
    encoder.astype("<f4").tofile(base + ".encoder")
    classifier.astype("<f4").tofile(base + ".classifier")


def film(path):
    """Values and attributes of a film, or None where the reference cannot read it or it is not one gray frame."""
    case = {"name": os.path.basename(path), "photometric": "MONOCHROME2", "bits": 8}
    if not path.endswith(".dcm"):
        return case, np.asarray(Image.open(path).convert("L")).astype(np.int64)
    import pydicom

    data = pydicom.dcmread(path)
    values = data.pixel_array.astype(np.int64)
    if values.ndim != 2:
        return None
    case["photometric"] = data.PhotometricInterpretation
    case["bits"] = int(data.BitsStored)
    case["slope"] = float(data.get("RescaleSlope", 1))
    case["intercept"] = float(data.get("RescaleIntercept", 0))
    if "WindowCenter" in data:
        first = lambda v: float(v[0] if isinstance(v, pydicom.multival.MultiValue) else v)
        case["window"] = {"center": first(data.WindowCenter), "width": first(data.WindowWidth),
                          "function": data.get("VOILUTFunction", "LINEAR") or "LINEAR"}
    return case, values


def pattern(rows, columns, bits, seed):
    """A gradient with noise, in integers only: PreprocessGoldenTests.swift makes the same."""
    mask = np.uint64(0xFFFFFFFF)
    i = np.arange(rows * columns, dtype=np.uint64)
    x = ((i + np.uint64(seed)) * np.uint64(2654435761)) & mask
    x ^= x >> np.uint64(15)
    x = (x * np.uint64(2246822519)) & mask
    x ^= x >> np.uint64(13)
    noise = (x >> np.uint64(24)).astype(np.int64).reshape(rows, columns)
    top = (1 << bits) - 1
    r, c = np.mgrid[0:rows, 0:columns]
    smooth = (r * (columns - c) * top) // (rows * columns)
    return np.minimum(smooth * 3 // 4 + noise * (top + 1) // 1024, top)


SYNTHETIC = [
    # rows, columns, bits, changes
    (512, 512, 12, {}), (513, 511, 12, {}), (511, 513, 16, {}), (601, 487, 10, {}), (487, 601, 8, {}), (1024, 1023, 12, {}),
    (97, 131, 12, {}), (1500, 700, 14, {}), (700, 1501, 14, {}), (2021, 1747, 12, {}), (448, 448, 8, {}), (1025, 513, 8, {}),
    (300, 400, 12, {"photometric": "MONOCHROME1"}),
    (640, 523, 12, {"photometric": "MONOCHROME1", "slope": 1.0, "intercept": -1024.0}),
    (530, 640, 12, {"slope": -1.0, "intercept": 4095.0}),
    (541, 533, 10, {"modality_lut": {"first": 100, "values": [int(60000 - 60 * k) for k in range(800)]}}),
    (520, 610, 12, {"signed": -2048}),
    (520, 610, 8, {"photometric": "RGB"}),
    (512, 600, 12, {"rendering": "voi"}),
    (512, 600, 12, {"rendering": "voi", "window": {"center": 1800.0, "width": 2100.0, "function": "LINEAR"}}),
    (512, 600, 12, {"rendering": "voi", "window": {"center": 1800.5, "width": 1.0, "function": "LINEAR"}}),
    (512, 600, 12, {"rendering": "voi", "window": {"center": 776.25, "width": 1999.5, "function": "LINEAR_EXACT"}, "slope": 0.5,
                    "intercept": -10.0}),
    (512, 600, 12, {"rendering": "voi", "window": {"center": 1800.0, "width": 900.0, "function": "SIGMOID"}, "photometric": "MONOCHROME1"}),
    (512, 600, 12, {"rendering": "voi", "window": {"center": 1800.0, "width": 900.0, "function": "LINEAR"}, "photometric": "MONOCHROME1",
                    "inverse": True}),
    (512, 600, 12, {"rendering": "voi", "voi_lut": {"first": 500, "values": [int(k * 4095 / 1999) for k in range(2000)]}}),
    (512, 600, 8, {"rendering": "voi", "photometric": "RGB"}),
]


def synthetic():
    for seed, (rows, columns, bits, changes) in enumerate(SYNTHETIC):
        case = {"name": f"{rows} x {columns}, {bits} bit, {changes}"[:120], "photometric": "MONOCHROME2", "bits": bits,
                "rendering": "mimic-cxr-jpg"}
        case.update(changes)
        values = pattern(rows, columns, bits, seed)
        if case["photometric"] == "RGB":
            values = np.stack([values, np.roll(values, 7, 0), np.roll(values, 11, 1)], axis=-1)
        values = values + case.pop("signed", 0)
        yield case, values


GOLDENS = [(640, 523, 12, False), (300, 401, 8, True), (1111, 777, 14, False), (512, 512, 10, True)]


def main():
    if sys.argv[1] == "goldens":
        sha = lambda a: hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()
        for seed, (rows, columns, bits, mono1) in enumerate(GOLDENS):
            case = {"photometric": "MONOCHROME1" if mono1 else "MONOCHROME2"}
            rendered = render_mimic(case, pattern(rows, columns, bits, seed))
            encoder, classifier = crops(rendered)
            print(rows, columns, bits, mono1, sha(rendered), sha(encoder.astype("<f4")), sha(classifier.astype("<f4")))
        small = pattern(7, 11, 8, 99).astype(np.uint8)
        print(small.tolist())
        for size in [(4, 3), (5, 7), (11, 9), (23, 17)]:
            print(size, np.asarray(Image.fromarray(small).resize(size, Image.BILINEAR)).tolist())
        return
    out = sys.argv[2]
    cases = list(synthetic()) if sys.argv[1] == "synthetic" else []
    for path in sys.argv[3:] if sys.argv[1] == "films" else []:
        found = film(path)
        if found:
            for rendering in ("mimic-cxr-jpg", "voi"):
                cases.append(({**found[0], "rendering": rendering}, found[1]))
    for index, (case, values) in enumerate(cases):
        write(out, index, case, values)
    with open(os.path.join(out, "count"), "w") as file:
        file.write(str(len(cases)))


main()
