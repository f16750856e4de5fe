#!/usr/bin/env python3
"""Writes fixtures/films: synthetic DICOM films in several classes and transfer syntaxes. Needs DCMTK's dcmcjpeg, dcmcjpls, dcmcrle."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless

import dicom
import films
import truth

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "films"
SIDE = 400


def facts(view, **findings):
    names = {k.replace("_", " "): v for k, v in findings.items()}
    if not set(names) - {"Support Devices"}:
        names["No Finding"] = {}
    return {"view": view, "findings": names, "labels": [l in names for l in truth.LABELS]}


def picture(seed, what):
    return films.film(seed, what, SIDE)[0]


def lateral(seed):
    """A lateral view, roughly: one lung field, spine behind, heart in front."""
    rng = np.random.default_rng(seed)
    q, p = np.mgrid[-1:1:SIDE * 1j, -1:1:SIDE * 1j].astype(np.float32)
    ramp = lambda distance, width=0.02: np.clip(distance / (2 * width) + 0.5, 0, 1)
    image = 0.03 + 0.5 * ramp(0.75 - np.abs(p) + 0.1 * q)
    lung = ramp(np.minimum(0.55 - np.abs(p + 0.05 * q), 0.35 + 0.25 * p - q)) * ramp(q + 0.75)
    image -= 0.33 * lung
    image += 0.3 * ramp(1 - np.hypot((p + 0.25) / 0.26, (q - 0.12) / 0.3), 0.08)
    for k in range(14):
        image += 0.18 * ramp(np.minimum(0.09 - np.abs(p - 0.52 - 0.05 * np.cos(2 * q)), 0.05 - np.abs(q + 0.85 - 0.125 * k)), 0.01)
    for k in range(9):
        image += 0.05 * ramp(0.02 - np.abs(q + 0.7 - 0.13 * k - 0.25 * (p + 0.5) ** 2), 0.01) * lung
    return np.clip(cv2.GaussianBlur(image, (0, 0), 1.2) + rng.normal(0, 0.01, image.shape), 0, 1).astype(np.float32)


def hand(seed):
    """A hand, roughly: five rays of bones in soft tissue."""
    rng = np.random.default_rng(seed)
    soft, bone = np.zeros((SIDE, SIDE), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    point = lambda x, y: (int(x * SIDE), int(y * SIDE))
    cv2.ellipse(soft, point(0.5, 0.68), (int(0.2 * SIDE), int(0.24 * SIDE)), 0, 0, 360, 255, -1)
    for tip in ((0.14, 0.42), (0.33, 0.14), (0.48, 0.08), (0.62, 0.13), (0.76, 0.27)):
        base = (0.5 + 0.28 * (tip[0] - 0.5), 0.78)
        cv2.line(soft, point(*base), point(*tip), 255, int(0.085 * SIDE))
        for a, b in ((0.1, 0.42), (0.46, 0.68), (0.71, 0.85), (0.88, 0.98)):
            at = lambda t: point(base[0] + t * (tip[0] - base[0]), base[1] + t * (tip[1] - base[1]))
            cv2.line(bone, at(a), at(b), 255, int(0.032 * SIDE))
    image = cv2.GaussianBlur(0.04 + 0.35 * (soft / 255.0) + 0.4 * (bone / 255.0), (0, 0), 1.5)
    return np.clip(image + rng.normal(0, 0.01, image.shape), 0, 1).astype(np.float32)


def dcmtk(tool, options, path):
    """Compresses a file in place, keeping its SOP Instance UID."""
    subprocess.run([tool, *options, str(path), str(path)], check=True)


def jpeg2000(d):
    """Lossless JPEG 2000 through OpenJPEG (pylibjpeg-openjpeg), keeping the SOP Instance UID."""
    d.compress(JPEG2000Lossless, generate_instance_uid=False)
    return d


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    effusion = facts("PA", Cardiomegaly={"severity": "moderate"}, Pleural_Effusion={"side": "right", "severity": "moderate"})
    normal = facts("PA")
    air = facts("AP", Pneumothorax={"side": "left", "severity": "moderate"}, Support_Devices={"kinds": ["chest tube"], "side": "left"})
    wet = facts("AP", Cardiomegaly={"severity": "severe"}, Edema={"side": "bilateral", "severity": "severe"},
                Support_Devices={"kinds": ["endotracheal tube"], "side": "left"})
    nodule = facts("PA", Lung_Lesion={"side": "right", "zone": "upper", "kind": "mass"}, Fracture={"side": "left"})
    infection = facts("AP", Pneumonia={"side": "left", "zone": "mid"}, Lung_Opacity={"with": "Pneumonia"})
    make = lambda seed, image, name, accession, **more: dicom.dataset(
        dicom.stored(image, more.get("bits", 12), more.get("monochrome1", False)), seed, name, accession, **more)
    written = []

    def keep(file, d, tool=None, options=()):
        path = FOLDER / file
        dicom.save(d, path)
        if tool:
            dcmtk(tool, options, path)
        written.append(path)

    keep("chest-pa.dcm", make(11, picture(11, effusion), "DEMO^SYNTHETIC ONE", "ACC0001"))
    keep("chest-pa-normal-cr-jpeg-lossless.dcm", make(12, picture(12, normal), "DEMO^SYNTHETIC TWO", "ACC0002", bits=10,
         monochrome1=True, sop_class=dicom.CR), "dcmcjpeg", ["+e1"])
    keep("chest-ap-pneumothorax-jpegls.dcm", make(13, picture(13, air), "MÜLLER^SYNTHETIC THREE", "ACC0003", view="AP", bits=16,
         charset="ISO_IR 192", physician="JÄGER^DEMO"), "dcmcjpls", ["+el"])
    keep("chest-ap-edema-j2k.dcm", jpeg2000(make(14, picture(14, wet), "DEMO^SYNTHETIC FOUR", "ACC0004", view="AP", monochrome1=True)))
    keep("chest-pa-mass-rle.dcm", make(15, picture(15, nodule), "DEMO^SYNTHETIC FIVE", "ACC0005", sop_class=dicom.CR), "dcmcrle")
    keep("chest-ap-pneumonia-implicit.dcm", make(16, picture(16, infection), "DEMO^SYNTHETIC SIX", "ACC0006", view="AP", bits=10,
         monochrome1=True, syntax=ImplicitVRLittleEndian))
    keep("chest-lateral.dcm", make(17, lateral(17), "DEMO^SYNTHETIC SEVEN", "ACC0007", view="LL", laterality="U"), "dcmcjpeg", ["+e1"])
    keep("hand.dcm", make(18, hand(18), "DEMO^SYNTHETIC EIGHT", "ACC0008", view="PA", body_part="HAND", laterality="R",
         study="Right hand"), "dcmcjpls", ["+el"])
    for path in written:
        print(f"{path.stat().st_size:8d}  {path.name}")


if __name__ == "__main__":
    sys.exit(main())
