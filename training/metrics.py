"""AUROC, F1 and the choice of thresholds, in NumPy."""

import numpy as np


def auroc(scores, truth):
    """Area under the ROC curve by ranks; ties count half."""
    truth = np.asarray(truth, bool)
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = truth.sum()
    negatives = truth.size - positives
    return (ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives)


def f1(predicted, truth):
    predicted, truth = np.asarray(predicted, bool), np.asarray(truth, bool)
    hits = (predicted & truth).sum()
    return 2 * hits / max(predicted.sum() + truth.sum(), 1)


def best_threshold(scores, truth):
    """The threshold with the best F1, the middle of the widest such range."""
    grid = np.linspace(0.05, 0.95, 91)
    values = np.array([f1(scores > t, truth) for t in grid])
    good = np.nonzero(values >= values.max() - 1e-9)[0]
    return float(grid[good[len(good) // 2]])
