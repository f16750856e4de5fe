"""Trains the language model: first on ideal image tokens (while the trunk trains), then on the trunk's own features."""

import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import config as c
import model
import report
import samples
import trunk

GRID = -(-c.ENCODER_SIDE // 32)
IDEAL = 35


def ideal(truth, boxes):
    """[49, 35] float: per cell the findings in it and, where they are, their grade and devices; the view everywhere."""
    top = (c.SHORTER_SIDE - c.ENCODER_SIDE) // 2
    here = torch.from_numpy(trunk.cells(boxes, GRID, c.ENCODER_SIDE, top, top)).flatten(1).T
    extra = torch.tensor(trunk.details(truth)[2 * (len(c.LABELS) - 2):]).float()
    columns, at = [here], 0
    for label, grades in trunk.SEVERE.items():
        columns.append(here[:, c.LABELS.index(label), None] * extra[at : at + len(grades)])
        at += len(grades)
    columns.append(extra[at].expand(len(here), 1))
    columns.append(here[:, c.LABELS.index("Support Devices"), None] * extra[at + 1 :])
    return torch.cat(columns, 1)


def findings_for(truth, scores, thresholds, rng):
    """The prompt's findings: the classifier's where it has looked, the truth else, now and then one wrong."""
    positive = list(truth["labels"])
    if scores is not None and rng.random() < 0.6:
        positive = [s > t for s, t in zip(scores, thresholds)]
    elif rng.random() < 0.2:
        i = rng.integers(len(positive))
        positive[i] = not positive[i]
    return c.prompt_findings(positive)


def hidden_states(net, image_tokens, batch, before):
    ids, positions, mask, _ = batch
    x = net.model.embed_tokens(ids)
    tokens = image_tokens.shape[1]
    x = torch.cat([x[:, :before], image_tokens.to(x.dtype), x[:, before + tokens :]], 1)
    return net.hidden_states(x, positions, mask)


def likeliest(net, image_tokens, batch, before):
    """[B, T - 1]: whether each token but the first is the likeliest one."""
    return net.lm_head(hidden_states(net, image_tokens, batch, before)[:, :-1]).argmax(-1) == batch[0][:, 1:]


def loss_of(net, image_tokens, batch, before):
    ids, targets = batch[0], batch[3]
    hidden = hidden_states(net, image_tokens, batch, before)
    where = targets[:, 1:]
    logits = net.lm_head(hidden[:, :-1][where])
    return F.cross_entropy(logits.float(), ids[:, 1:][where])


def train(net, image_module, inputs, truths, scores, thresholds, tokenizer, seed, steps, peak, batch=8, log=print, name="language", warm=100, decay=True, mix=samples.Mix(), watch=None):
    """inputs [N, ...] go through `image_module` to image tokens. bf16 autocast. Warm-up, then a cosine where `decay`. `watch` is called now and then."""
    rng = np.random.default_rng(seed)
    sequencer = samples.Sequencer(tokenizer, mix)
    parameters = [*net.parameters(), *image_module.parameters()]
    matrices, vectors = [p for p in parameters if p.dim() >= 2], [p for p in parameters if p.dim() < 2]
    optimiser = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0}], lr=peak, betas=(0.9, 0.98))
    rate = lambda s: min(1, (s + 1) / warm) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * s / steps)) if decay else 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
    order, start, running = [], time.time(), None
    for step in range(steps):
        if len(order) < batch:
            order = list(rng.permutation(len(truths)))
        index = [order.pop() for _ in range(batch)]
        items = [sequencer.build(truths[i], findings_for(truths[i], None if scores is None else scores[i].tolist(), thresholds, rng), GRID * GRID, rng) for i in index]
        with torch.autocast("cpu", torch.bfloat16):
            image_tokens = image_module(inputs[index].float())
            loss = loss_of(net, image_tokens, samples.collate(items), len(sequencer.before))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        running = loss.item() if running is None else 0.97 * running + 0.03 * loss.item()
        if step % 25 == 0:
            log(f"{name} step {step}/{steps} loss {running:.4f} {time.time() - start:.0f}s")
        if watch and (step % 100 == 0 or step == steps - 1):
            log(f"{name} step {step} on the validation films: {watch()}")


@torch.no_grad()
def known_by_heart(net, image_module, inputs, truths, scores, thresholds, tokenizer, mix, seed, batch=8):
    """Share of answers of which every token is the likeliest one behind the right ones before it, by the number of the follow-up."""
    rng, sequencer, exact = np.random.default_rng(seed), samples.Sequencer(tokenizer, mix), {}
    for at in range(0, len(truths), batch):
        index = range(at, min(at + batch, len(truths)))
        items = [sequencer.build(truths[i], findings_for(truths[i], scores[i].tolist(), thresholds, rng), GRID * GRID, rng) for i in index]
        with torch.autocast("cpu", torch.bfloat16):
            right = likeliest(net, image_module(inputs[list(index)].float()), samples.collate(items), len(sequencer.before))
        for row, item in enumerate(items):
            for task, turn, start, end in item["answers"]:
                exact.setdefault((task.startswith("correction"), turn), []).append(bool(right[row, start - 1 : end - 1].all()))
    told = lambda correction: " ".join(f"{np.mean(v):.3f} ({len(v)})" for key, v in sorted(exact.items()) if key[0] == correction)
    return f"corrections {told(True)}, others {told(False)}"


def fit_alignment(alignment, oracle, features, ideals, seed, steps=1500, log=print):
    """Starts the alignment so that the trunk's features give the tokens that the language model has learnt to read."""
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(alignment.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps)
    for step in range(steps):
        index = torch.randint(len(features), (64,), generator=generator)
        with torch.no_grad():
            wanted = oracle(ideals[index])
        loss = F.mse_loss(alignment(features[index].float()), wanted) / wanted.var()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 500 == 499:
            log(f"alignment step {step + 1}/{steps} unexplained {loss.item():.3f}")


@torch.no_grad()
def greedy(net, tokenizer, image_tokens, findings, question=None, report_ids=None, limit=200):
    """fp32 greedy decoding without a cache: short checks during training only."""
    sequencer = samples.Sequencer(tokenizer)
    ids = sequencer.before + [0] * len(image_tokens) + tokenizer.encode(sequencer.after_text.format(findings=findings))
    if question:
        ids += report_ids + [sequencer.end] + sequencer.question(question)
    out = []
    while len(out) < limit:
        now = torch.tensor([ids + out])
        x = net.model.embed_tokens(now)
        x[0, len(sequencer.before) : len(sequencer.before) + len(image_tokens)] = image_tokens
        length = now.shape[1]
        hidden = net.hidden_states(x, torch.arange(length)[None], torch.ones(1, 1, length, length, dtype=torch.bool).tril())
        best = int(net.lm_head(hidden[0, -1]).argmax())
        if best == sequencer.end:
            break
        out.append(best)
    return out
