"""What guessing from earlier texts (PhraseMemory.swift) would save if the reports of a folder were written one after the other.

    python reference/simulate_phrase_memory.py openi_reports_dev.tgz MODEL.gguf [--guesses 3]

Needs a Python with llama_cpp, which splits texts with the vocabulary of MODEL. The reports are those of people, so a model, which says the same thing in the
same words more often, is guessed better. A line for each stretch of reports: tokens and guesses a step; a step reads the last token and the guesses behind it.
"""
import argparse
import re
import tarfile

import llama_cpp

END = -1
RUNS = (4, 2)


def findings(archive: str) -> list[str]:
    """The findings sections of the archive's XML files that have one."""
    texts = []
    with tarfile.open(archive) as files:
        for member in sorted((m for m in files.getmembers() if m.isfile()), key=lambda m: m.name):
            xml = files.extractfile(member).read().decode("utf-8", "replace")
            section = re.search(r'Label="FINDINGS"[^>]*>([^<]+)<', xml) or re.search(r"FINDINGS:\s*(.+?)(?:IMPRESSION|$)", xml, re.DOTALL)
            if section and len(section[1].strip()) > 40:
                texts.append(section[1].strip())
    return texts


class PhraseMemory:
    """As PhraseMemory.swift, without its bound."""

    def __init__(self) -> None:
        self.followers: dict[tuple[int, ...], list[int]] = {}

    def keys(self, tokens: list[int]) -> list[tuple[int, ...]]:
        return [tuple(tokens[-run:]) for run in RUNS if len(tokens) >= run]

    def learn(self, context: list[int], text: list[int]) -> None:
        tokens = context + text
        for place in range(len(context), len(tokens)):
            for key in self.keys(tokens[max(0, place - max(RUNS)) : place]):
                follower = self.followers.setdefault(key, [tokens[place], 0])
                if follower[0] == tokens[place]:
                    follower[1] += 1
                elif follower[1] > 0:
                    follower[1] -= 1
                else:
                    follower[:] = [tokens[place], 1]

    def guesses(self, tokens: list[int], count: int) -> list[int]:
        tokens = tokens[-max(RUNS) :]
        start = len(tokens)
        while len(tokens) < start + count:
            known = [self.followers[key] for key in self.keys(tokens) if key in self.followers]
            if not known:
                break
            tokens.append(known[0][0])
        return tokens[start:]


def steps(memory: PhraseMemory, context: list[int], text: list[int], guesses: int) -> tuple[int, int]:
    """Steps that write `text`, whose first token the reading of the prompt gives, and the guesses read along in all of them."""
    count, read, place = 0, 0, 1
    while place < len(text):
        count += 1
        guessed = memory.guesses(context + text[:place], guesses)
        read += len(guessed)
        agreed = 0
        while agreed < len(guessed) and place + agreed < len(text) and guessed[agreed] == text[place + agreed]:
            agreed += 1
        place += agreed + 1
    return count, read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive")
    parser.add_argument("model")
    parser.add_argument("--guesses", type=int, default=3)
    arguments = parser.parse_args()
    vocabulary = llama_cpp.Llama(arguments.model, vocab_only=True, verbose=False)
    texts = [vocabulary.tokenize((" " + text).encode(), add_bos=False) + [END] for text in findings(arguments.archive)]
    print(f"{len(texts)} reports, {sum(map(len, texts)) / len(texts):.1f} tokens each")
    memory, context = PhraseMemory(), [-5, -4, -3, -2]
    first = tokens = count = read = 0
    for index, text in enumerate(texts, 1):
        tokens += len(text)
        own_steps, own_guesses = steps(memory, context, text, arguments.guesses)
        count, read = count + own_steps, read + own_guesses
        memory.learn(context, text)
        if index in (10, 30, 100, 300, 1000) or index == len(texts):
            print(f"reports {first + 1} to {index}: {tokens / max(1, count):.2f} tokens, {read / max(1, count):.2f} guesses a step")
            first, tokens, count, read = index, 0, 0, 0
    print(f"{len(memory.followers)} runs")


if __name__ == "__main__":
    main()
