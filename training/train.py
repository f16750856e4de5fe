#!/usr/bin/env python3
"""Makes the demonstration model from nothing: films, texts, training, bundle. See README.md."""

import argparse
import multiprocessing
import os
from pathlib import Path

# Small matrices on a busy machine: spinning threads cost more than they give.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import cv2  # noqa: E402
import torch  # noqa: E402

import stages  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("/tmp/radialog-train"), help="scratch folder; finished stages in it are kept")
    parser.add_argument("--bundle", type=Path, default=Path(__file__).resolve().parent.parent / "models" / "radialog-demo")
    parser.add_argument("--until", choices=["films", "bundle"], default="bundle")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    stages.films(options.work)
    if options.until == "films":
        return
    stages.vocabulary(options.work)
    # The two longest stages do not need each other: one core for each.
    beside = multiprocessing.Process(target=stages.language_on_ideal_tokens, args=(options.work,))
    beside.start()
    stages.image_trunk(options.work)
    beside.join()
    if beside.exitcode != 0:
        raise SystemExit("training the language model on ideal tokens failed; see above")
    torch.set_num_threads(2)  # nothing runs beside it any more
    stages.language_on_real_features(options.work)
    stages.write_bundle(options.work, options.bundle)


if __name__ == "__main__":
    main()
