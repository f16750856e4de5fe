"""Times llama.cpp, as llama-cpp-python brings it, through its low-level interface: prefill, decode, batched decode, memory, time to load.

    python Benchmarks/peers/language.py FILE.gguf [--threads N] [--prefill 64,256,512] [--decode 1,4,8,16] [--repetitions N]

Everything not named here is llama.cpp's default: the file mapped, weights repacked for the processor, an f16 key-value cache, flash attention
where it chooses it. Prints one JSON object (README.md). This file is not called llama_cpp.py, because Python would import it instead of the package.
"""
import argparse
import ctypes
import math
import os
import pathlib
import random
import sys
import time

import llama_cpp as package
from llama_cpp import llama_cpp as lib

from results import report, row

BATCH = 512  # tokens that are computed together at most
LENGTH = 512  # tokens there is room for in each sequence
PROMPT = 256  # tokens each sequence has in the cache before decoding is timed
STEPS = 8  # tokens of each sequence in one repetition


@lib.llama_log_callback
def log_errors(level: int, text: bytes, _: ctypes.c_void_p) -> None:
    if level == 4:  # GGML_LOG_LEVEL_ERROR
        sys.stderr.write(text.decode(errors="replace"))


class Context:
    """A context in which each sequence has a cache of its own (`kv_unified` false: what llama.cpp advises for sequences with little in common)."""

    def __init__(self, model: lib.llama_model_p, sequences: int, threads: int):
        parameters = lib.llama_context_default_params()
        parameters.n_ctx, parameters.n_seq_max, parameters.kv_unified = sequences * LENGTH, sequences, False
        parameters.n_batch = parameters.n_ubatch = BATCH
        parameters.n_threads = parameters.n_threads_batch = threads
        self.pointer = lib.llama_init_from_model(model, parameters)
        if not self.pointer:
            sys.exit("llama.cpp makes no context")
        self.memory = lib.llama_get_memory(self.pointer)
        self.batch = lib.llama_batch_init(BATCH, 0, 1)
        self.sequences = sequences
        self.vocabulary = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
        self.random = random.Random(1)

    def close(self) -> None:
        lib.llama_batch_free(self.batch)
        lib.llama_free(self.pointer)

    def decode(self, places: list[tuple[int, int]], wanted: int) -> float:
        """Seconds for random tokens at these (sequence, position), with logits of the last `wanted`. Filling the batch is not timed."""
        batch = self.batch
        batch.n_tokens = len(places)
        for index, (sequence, position) in enumerate(places):
            batch.token[index] = self.random.randrange(259, self.vocabulary)  # above control and byte pieces
            batch.pos[index], batch.n_seq_id[index], batch.seq_id[index][0] = position, 1, sequence
            batch.logits[index] = index >= len(places) - wanted
        start = time.perf_counter()
        if lib.llama_decode(self.pointer, batch) != 0:
            sys.exit("llama_decode failed")
        lib.llama_synchronize(self.pointer)
        return time.perf_counter() - start

    def prefill(self, tokens: int) -> float:
        """Seconds to read a prompt of one sequence into an empty cache."""
        lib.llama_memory_clear(self.memory, False)
        seconds = self.decode([(0, position) for position in range(tokens)], 1)
        if not math.isfinite(lib.llama_get_logits_ith(self.pointer, -1)[0]):
            sys.exit("the logits are no numbers")
        return seconds

    def share_prompt(self) -> None:
        """Copies the first sequence's cache to the others: as good as reading their prompts, and far quicker."""
        for sequence in range(1, self.sequences):
            lib.llama_memory_seq_cp(self.memory, 0, sequence, -1, -1)

    def step(self, position: int) -> float:
        """Seconds for one token of every sequence."""
        return self.decode([(sequence, position) for sequence in range(self.sequences)], self.sequences)

    def write(self) -> float:
        """Seconds for STEPS tokens of every sequence after its prompt; they are forgotten again."""
        seconds = sum(self.step(PROMPT + step) for step in range(STEPS))
        for sequence in range(self.sequences):
            lib.llama_memory_seq_rm(self.memory, sequence, PROMPT, -1)
        return seconds


def resident_gigabytes() -> float:
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e9


def features() -> list[str]:
    """The instruction sets that were compiled in: without AMX_INT8, llama.cpp is some four times slower at prefill."""
    pairs = (part.rsplit(":", 1)[-1].split("=") for part in lib.llama_print_system_info().decode().split("|"))
    return [pair[0].strip() for pair in pairs if len(pair) == 2 and pair[1].strip() == "1"]


def counts(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--prefill", type=counts, default=[64, 256, 512], help=f"numbers of tokens, at most {BATCH}")
    parser.add_argument("--decode", type=counts, default=[1, 4, 8, 16], help="numbers of sequences")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    if max(options.prefill + options.decode, default=0) > BATCH:
        parser.error(f"no more than {BATCH} tokens are computed together")
    repetitions = range(options.repetitions)

    lib.llama_log_set(log_errors, ctypes.c_void_p(0))
    lib.llama_backend_init()
    start = time.perf_counter()
    model = lib.llama_model_load_from_file(os.fsencode(options.file), lib.llama_model_default_params())
    if not model:
        sys.exit(f"llama.cpp does not load {options.file}")
    context = Context(model, 1, options.threads)
    rows = [row("load", "s", [time.perf_counter() - start])]

    context.prefill(64)  # buffers are made on first use
    for tokens in options.prefill:
        rows.append(row("prefill", "tokens/s", [tokens / context.prefill(tokens) for _ in repetitions], tokens=tokens, sequences=1))
    context.close()
    for sequences in options.decode:
        context = Context(model, sequences, options.threads)
        context.prefill(PROMPT)
        context.share_prompt()
        context.write()
        speeds = [sequences * STEPS / context.write() for _ in repetitions]
        rows.append(row("decode", "tokens/s", speeds, tokens=PROMPT, sequences=sequences))
        rows.append(row("resident memory", "GB", [resident_gigabytes()], sequences=sequences))
        context.close()
    lib.llama_model_free(model)
    report("llama.cpp", f"llama-cpp-python {package.__version__}", rows, file=str(options.file), threads=options.threads, features=features())


if __name__ == "__main__":
    main()
