"""Token sequences: one report turn and several follow-ups that share it, each blind to the others."""

from dataclasses import dataclass

import numpy as np
import torch

import config as c
import dialogue
import report
import truth as truths


@dataclass
class Mix:
    """What one training phase asks for."""

    branches: int = 5  # follow-ups of one report turn
    correction: float = 1.0  # weight of each of the three correction tasks against the other nine
    rewritten: float = 0.0  # share of samples whose report somebody else wrote: the follow-ups must read it, not the image
    turns: int = 0  # 0: one follow-up, now and then two, none after a correction. Else up to so many, each about the report as corrected last

    def weights(self):
        each = np.array([self.correction if task.startswith("correction") else 1.0 for task in dialogue.TASKS])
        return each / each.sum()


class Sequencer:
    def __init__(self, tokenizer, mix=Mix()):
        self.tokenizer, self.mix = tokenizer, mix
        system, after = f"{c.SYSTEM} USER: {c.REPORT_INSTRUCTION} ASSISTANT:".split("<image>")
        self.before = [tokenizer.bos_id()] + tokenizer.encode(system)
        self.after_text = after
        self.end = tokenizer.eos_id()

    def answer(self, text):
        return self.tokenizer.encode(text) + [self.end]

    def question(self, text):
        return self.tokenizer.encode(f"USER: {text} ASSISTANT:")

    def build(self, truth, findings, image_tokens, rng):
        """{ids, positions, branch, target mask, answers}: image places hold id 0; branch 0 is the shared report turn."""
        variants = report.variants(rng)
        rewritten = rng.random() < self.mix.rewritten
        if rewritten:
            truth = {**truths.draw(rng), "view": truth["view"]}
        pieces = [(self.before + [0] * image_tokens + self.tokenizer.encode(self.after_text.format(findings=findings)), False),
                  (self.answer(report.report(truth["findings"], variants)), not rewritten)]
        ids, targets, branch = [], [], []
        for piece, wanted in pieces:
            ids += piece
            targets += [wanted] * len(piece)
        shared = len(ids)
        branch = [0] * shared
        positions = list(range(shared))
        answers = []  # (task, number of the follow-up, where it starts, where it ends)
        for number, follow_ups in enumerate(self.conversations(rng, truth, variants), start=1):
            length = 0
            for turn, (task, q, a) in enumerate(follow_ups, start=1):
                for piece, wanted in ((self.question(q), False), (self.answer(a), True)):
                    ids += piece
                    targets += [wanted] * len(piece)
                    length += len(piece)
                answers.append((task, turn, len(ids) - len(piece), len(ids)))
            branch += [number] * length
            positions += range(shared, shared + length)
        return {"ids": ids, "targets": targets, "branch": branch, "positions": positions, "answers": answers}

    def conversations(self, rng, truth, variants):
        """[[(task, question, answer)]]: the follow-ups of each branch."""
        made, weights = [], self.mix.weights()
        if self.mix.turns:
            for _ in range(self.mix.branches):
                now, follow_ups = truth, []
                # The longer, the oftener: a long conversation holds the shorter ones.
                for task in rng.choice(dialogue.TASKS, 1 + max(rng.integers(self.mix.turns, size=2)), p=weights):
                    question, answer, found = dialogue.exchange(task, rng, now, variants)
                    now = {**now, "findings": found}
                    follow_ups.append((task, question, answer))
                made.append(follow_ups)
            return made
        for task in (dialogue.TASKS[i] for i in rng.choice(len(dialogue.TASKS), self.mix.branches, replace=False, p=weights)):
            follow_ups = [(task, *dialogue.turn(task, rng, truth, variants))]
            if not task.startswith("correction") and rng.random() < 0.2:  # a longer conversation
                other = dialogue.TASKS[rng.choice([i for i, t in enumerate(dialogue.TASKS) if not t.startswith("correction")])]
                follow_ups.append((other, *dialogue.turn(other, rng, truth, variants)))
            made.append(follow_ups)
        return made


def collate(items):
    """Padded tensors; mask [B, 1, T, T] is true where a token may look."""
    length = max(len(i["ids"]) for i in items)
    pad = lambda key, fill: torch.tensor([list(i[key]) + [fill] * (length - len(i[key])) for i in items])
    ids, positions, branch, targets = pad("ids", 0), pad("positions", 0), pad("branch", -1), pad("targets", False)
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    mask = causal & ((branch[:, None, :] == 0) | (branch[:, None, :] == branch[:, :, None]))
    # The token at i is predicted from i-1; a branch's first tokens are a question, so its predecessor is its own.
    return ids, positions, mask[:, None], targets
