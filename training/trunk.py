"""Trains the image trunk and the CheXpert head: one trunk for both crops, with auxiliary targets on its patch features.

The auxiliary heads (which finding stands in which cell, its side and severity, the view, the devices) are thrown away:
they make the patch features carry what the language model has to say.
"""

import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import config as c
import model
from truth import DEVICES

SEVERE = {"Cardiomegaly": ["mild", "moderate", "severe"], "Edema": ["mild", "moderate", "severe"],
          "Pneumothorax": ["small", "moderate", "large"], "Pleural Effusion": ["small", "moderate", "large"],
          "Lung Lesion": ["nodule", "mass"]}


def details(truth):
    """Side bits, severities, view and devices as one binary vector."""
    out, f = [], truth["findings"]
    for label in c.LABELS[1:-1]:
        side = f.get(label, {}).get("side")
        out += [side in ("left", "bilateral"), side in ("right", "bilateral")]
    for label, grades in SEVERE.items():
        d = f.get(label, {})
        out += [d.get("severity", d.get("kind")) == g for g in grades]
    out += [truth["view"] == "AP"]
    out += [kind in f.get("Support Devices", {}).get("kinds", []) for kind in DEVICES]
    return out


def cells(boxes, grid, side, top, left):
    """[14, grid, grid]: 1 where a cell's centre lies in a finding's box. top, left: the crop's offset in the 256 square."""
    target = np.zeros((len(c.LABELS), grid, grid), np.float32)
    half = c.SHORTER_SIDE / 2
    centre = (np.arange(grid) + 0.5) * side / grid
    x, y = (centre + left - half) / half, (centre + top - half) / half
    margin = 0.5 * side / grid / half
    for label, u, v, ru, rv in boxes:
        inside = (np.abs(y - v) <= max(rv, margin))[:, None] & (np.abs(x - u) <= max(ru, margin))[None]
        target[c.LABELS.index(label)][inside] = 1
    return target


class Auxiliary(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.cell = nn.Conv2d(c.PATCH_CHANNELS, len(c.LABELS), 1)
        self.whole = nn.Sequential(nn.Linear(c.PATCH_CHANNELS * 16, 128), nn.ReLU(), nn.Linear(128, outputs))

    def forward(self, patches):
        return self.cell(patches), self.whole(F.adaptive_avg_pool2d(patches, 4).flatten(1))


def batch_of(data, index, side, rng):
    """Crops with a jittered offset, contrast and noise; the cells move with the crop."""
    grid = -(-side // 32)
    middle = (c.SHORTER_SIDE - side) // 2
    reach = min(middle, 8)
    crops, targets = [], []
    for i in index:
        top, left = (middle + int(v) for v in rng.integers(-reach, reach + 1, 2))
        crops.append(data["images"][i, top : top + side, left : left + side])
        targets.append(cells(data["boxes"][i], grid, side, top, left))
    x = torch.from_numpy(np.stack(crops)).float().div_(255)[:, None]
    gain = torch.from_numpy(rng.uniform(0.85, 1.15, (len(index), 1, 1, 1)).astype(np.float32))
    offset = torch.from_numpy(rng.uniform(-0.08, 0.08, (len(index), 1, 1, 1)).astype(np.float32))
    x = (x * gain + offset + 0.02 * torch.from_numpy(rng.standard_normal(x.shape, dtype=np.float32))).clamp_(0, 1)
    return x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last), torch.from_numpy(np.stack(targets))


def train(data, seed, epochs, batch=24, peak=3e-3, log=print):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    labels = torch.tensor([t["labels"] for t in data["truths"]]).float()
    extra = torch.tensor([details(t) for t in data["truths"]]).float()
    net, auxiliary = model.Classifier(), Auxiliary(extra.shape[1])
    net = net.to(memory_format=torch.channels_last)
    parameters = [*net.parameters(), *auxiliary.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=peak, weight_decay=0.02)
    count = len(labels)
    steps = epochs * (count // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, peak, steps, pct_start=0.15)
    step, start, running = 0, time.time(), None
    for epoch in range(epochs):
        order = rng.permutation(count)
        for at in range(0, count - batch + 1, batch):
            index = order[at : at + batch]
            whole = step % 3 != 2
            x, target = batch_of(data, index, c.CLASSIFIER_SIDE if whole else c.ENCODER_SIDE, rng)
            with torch.autocast("cpu", torch.bfloat16):
                features = net.biovil_encoder.encoder(x)
                cell, vector = auxiliary(features[:, : c.PATCH_CHANNELS])
                logits = net.head(features, 0.2) if whole else None
            losses = [F.binary_cross_entropy_with_logits(cell.float(), target, pos_weight=torch.tensor(3.0)),
                      F.binary_cross_entropy_with_logits(vector.float(), extra[index])]
            if whole:
                losses.append(F.binary_cross_entropy_with_logits(logits.float(), labels[index]))
            loss = sum(losses)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            schedule.step()
            step += 1
            if whole:
                now = torch.stack([v.detach() for v in losses])
                running = now if running is None else 0.97 * running + 0.03 * now
            if step % 100 == 1:
                log(f"trunk step {step}/{steps} cells {running[0]:.4f} details {running[1]:.4f} labels {running[2]:.4f} {time.time() - start:.0f}s")
    return net.eval()


@torch.no_grad()
def outputs(net, data, chunk=64):
    """(scores [N, 14], patch features float16 [N, 2C, 7, 7]) at the central crops, fp32."""
    scores, features = [], []
    a, b = (c.SHORTER_SIDE - c.CLASSIFIER_SIDE) // 2, (c.SHORTER_SIDE - c.ENCODER_SIDE) // 2
    for at in range(0, len(data["images"]), chunk):
        x = torch.from_numpy(data["images"][at : at + chunk]).float().div(255)[:, None].expand(-1, 3, -1, -1)
        shape = dict(memory_format=torch.channels_last)
        scores.append(torch.sigmoid(net(x[..., a : a + c.CLASSIFIER_SIDE, a : a + c.CLASSIFIER_SIDE].contiguous(**shape))))
        features.append(net.biovil_encoder.encoder(x[..., b : b + c.ENCODER_SIDE, b : b + c.ENCODER_SIDE].contiguous(**shape)).half())
    return torch.cat(scores), torch.cat(features)
