"""Film sets: drawn, rendered and resized exactly as the program does it, kept as 256 x 256 uint8."""

import multiprocessing
import pickle
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reference"))

import config as c  # noqa: E402
import films  # noqa: E402
import truth  # noqa: E402

# Seeds of the sets never meet: one million apart. The test films are drawn by `evaluate` only.
FIRST_SEED = {"trunk": 1_000_000, "language": 2_000_000, "validation": 3_000_000, "test": 9_000_000}


def stored_values(image, seed):
    """12-bit stored values as a detector would give them: (uint16, is MONOCHROME1)."""
    rng = np.random.default_rng([seed, 3])
    low = int(rng.integers(0, 300))
    span = int(rng.integers(2200, 3700))
    values = (low + np.round(image * span)).astype(np.uint16)
    if rng.random() < 0.3:
        return (4095 - values).astype(np.uint16), True
    return values, False


def one(seed):
    import radialog

    facts = truth.truth_of(seed)
    image, boxes = films.film(seed, facts)
    values, monochrome1 = stored_values(image, seed)
    _, rendered = radialog.render(values.astype(np.float64), monochrome1)
    resized = radialog.resize_shorter(rendered, c.SHORTER_SIDE)
    return radialog.centre_crop(resized, c.SHORTER_SIDE), facts, boxes


def make(name, count, work, processes=2):
    """{"images": uint8 [N, 256, 256], "truths": [...], "boxes": [...]} from the cache in `work` or drawn."""
    path = Path(work) / f"{name}-{count}.pickle"
    if path.exists():
        return pickle.loads(path.read_bytes())
    seeds = range(FIRST_SEED[name], FIRST_SEED[name] + count)
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        made = pool.map(one, seeds, chunksize=25)
    result = {"images": np.stack([m[0] for m in made]), "truths": [m[1] for m in made], "boxes": [m[2] for m in made]}
    path.write_bytes(pickle.dumps(result, protocol=5))
    return result
