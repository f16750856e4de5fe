"""Lets the language model start with heads that find what was said before and say it again.

A correction must repeat the report word by word, and a small model trained for minutes instead writes the commonest side, grade or
device: the heads that copy ("induction heads", Olsson et al. 2022) form late. So they are set up in the initial weights, as Trockman
and Kolter (2023, "mimetic initialisation") do for other structure, and trained on text said twice before anything else.
"""

import time

import numpy as np
import torch
import torch.nn.functional as F

import config as c
import report
import samples
import truth as truths

HEADS = 2  # of the first and of the second layer
SHARED = 0.16  # length of what all token embeddings have in common; the rest of one has 0.02 * sqrt(HIDDEN)
NEAR = 10  # pairs of dimensions that turn fast enough to tell the previous token from its neighbours
SLOW = 18  # the first pair that hardly turns over a conversation


def orthonormal(rows):
    """[rows, HIDDEN], rows of unit length at right angles."""
    return torch.linalg.qr(torch.randn(c.HIDDEN, rows))[0].T


@torch.no_grad()
def set_up(net):
    """First layer: a head looks one token back and writes that token beside the own one. Second layer: a head looks for the place whose
    previous token is the present one, and writes the token there."""
    size = c.HIDDEN // c.HEADS
    half = size // 2
    theta = c.ROPE_THETA ** (-torch.arange(half, dtype=torch.float32) / half)
    shared = F.normalize(torch.randn(c.HIDDEN), dim=0)
    apart = lambda rows: rows - (rows @ shared)[:, None] * shared
    tokens = net.model.embed_tokens.weight
    tokens.copy_(apart(tokens) + SHARED * shared)
    first, second = net.model.layers[0].self_attn, net.model.layers[1].self_attn
    slow = [pair + offset for offset in (0, half) for pair in range(SLOW, half)]
    for head in range(HEADS):
        at = slice(head * size, (head + 1) * size)
        query, key = torch.zeros(size), torch.zeros(size)
        query[:NEAR] = 1
        key[:NEAR], key[half : half + NEAR] = theta[:NEAR].cos(), theta[:NEAR].sin()  # turned by one position
        first.q_proj.weight[at] += 0.8 * query[:, None] * shared
        first.k_proj.weight[at] += 0.8 * key[:, None] * shared
        read, beside, copied = apart(orthonormal(size)), orthonormal(size), orthonormal(size)
        first.v_proj.weight[at] = read
        first.o_proj.weight[:, at] = 0.04 * beside.T
        mixed = torch.linalg.qr(torch.randn(size, len(slow)))[0].T
        second.q_proj.weight[at][slow] += 1.2 * mixed @ read
        second.k_proj.weight[at][slow] += 1.2 * mixed @ beside
        second.v_proj.weight[at] = copied
        second.o_proj.weight[:, at] = 0.06 * copied.T
    net.lm_head.weight.copy_(tokens)


def sentences(rng):
    """Sentences of several reports in any order, so that only what was said tells what comes next."""
    found = []
    while len(found) < 10:
        found += [s + "." for s in report.report(truths.draw(rng)["findings"], report.variants(rng)).rstrip(".").split(". ")]
    return " ".join(found[i] for i in rng.permutation(len(found))[: rng.integers(4, 9)])


def said_twice(tokenizer, rng):
    """One sequence in the shape of samples.Sequencer.build: any tokens, or sentences, and the same again as the target."""
    if rng.random() < 0.5:
        said = rng.integers(3, c.VOCABULARY, rng.integers(8, 40)).tolist()
        known = 1  # the first token of the second time cannot be known
    else:
        said = tokenizer.encode(sentences(rng)) + [tokenizer.eos_id()]
        known = 0
    ids = [tokenizer.bos_id()] + said + said
    again = 1 + len(said) + known
    return {"ids": ids, "targets": [i >= again for i in range(len(ids))], "branch": [0] * len(ids), "positions": list(range(len(ids)))}


def train(net, tokenizer, seed, steps, peak, batch=24, log=print):
    """Text only. Constant rate after a warm-up: the stage on ideal tokens goes on from here."""
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(net.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1, (step + 1) / 50))
    start = time.time()
    for step in range(steps):
        ids, positions, mask, targets = samples.collate([said_twice(tokenizer, rng) for _ in range(batch)])
        where = targets[:, 1:]
        with torch.autocast("cpu", torch.bfloat16):
            hidden = net.hidden_states(net.model.embed_tokens(ids), positions, mask)
            logits = net.lm_head(hidden[:, :-1][where]).float()
            wanted = ids[:, 1:][where]
            loss = F.cross_entropy(logits, wanted)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 25 == 0:
            right = (logits.argmax(-1) == wanted).float().mean().item()
            log(f"recall step {step}/{steps} loss {loss.item():.4f} right {right:.3f} {time.time() - start:.0f}s")
