"""Writes what the reference implementations make of varied texts: fixtures/tokenizer/*.json.

    python write_tokenizer_vectors.py own OUT                            trains two small byte-level vocabularies and writes their vectors
    python write_tokenizer_vectors.py gguf GGUF OUT.json [--count N] [--llama-cpp PROGRAM]
    python write_tokenizer_vectors.py stories TOK512 OUT.json            the vocabulary of stories260K (llama2.c's tok512.bin)

References: `tokenizers` (Hugging Face), for `stories` `sentencepiece` (Google). `gguf` reads the vocabulary of a GGUF file; the tokenizer is put
together as SmolLM2's own tokenizer.json has it. With --llama-cpp every text is compared with llama.cpp too: PROGRAM GGUF reads from its
standard input, per text, one byte (parse_special), four bytes (length) and the UTF-8, and answers a count and the ids, four bytes each.
Texts on which the two differ are kept with Hugging Face's ids and marked "llama_cpp_differs".

A vector file: {"source", "encodings": [{"text", "special", "ids"}], "decodings": [{"ids", "text"}]}. "special": names of special tokens in
the text are those tokens. Vocabularies of others are never written.
Needs: pip install tokenizers gguf sentencepiece. Nothing here reads the clock or the system's random numbers.
"""

import argparse
import json
import random
import struct
import subprocess

SENTENCES = """The heart is normal in size and contour.
The cardiomediastinal silhouette is within normal limits.
There is no focal consolidation, pleural effusion or pneumothorax.
Lungs are clear without evidence of acute disease.
Mild cardiomegaly with small bilateral pleural effusions.
A right-sided PICC line ends in the lower superior vena cava.
The endotracheal tube terminates 3.5 cm above the carina.
There is patchy opacity at the left lung base, which may reflect atelectasis or pneumonia.
Stable postoperative changes of the sternum; sternotomy wires are intact.
No displaced rib fracture is seen.
Interval improvement of the pulmonary edema compared to the prior study of 2019-04-12.
Degenerative changes of the thoracic spine are noted.
The nasogastric tube courses below the diaphragm and out of view.
Moderate right pneumothorax without mediastinal shift.
The patient's lungs aren't hyperinflated; they've been clear before and we'll compare, I'd say, when you're ready.
A chat between a curious user and an artificial intelligence assistant acting as an experienced radiologist.
Write in the style of a radiologist, write one fluent text without enumeration, be concise.
The quick brown fox jumps over the lazy dog while 12 boxers watch 345 films in 6789 minutes.
def scale(values, factor=2):
    return [value * factor for value in values]
Überlegung, Größe, naïve café, mañana, façade: umlauts and accents belong to names.
""".splitlines()

HAND_PICKED = [
    "", " ", "  ", "   ", "\n", "\n\n", " \n ", "\t", "\t\t x", "\r\n", "a\r\nb\r\n", "a  b", "a   b", "a \n b", "a\n\n\nb", "x \t\n y",
    " leading", "trailing ", "trailing   ", "   both   ", "\n leading newline", "a\u00a0b", "a \u00a0b", "a\u00a0 b", "\u00a0\u00a0x", "a\u2003\u2003b",
    "\u3000全角\u3000空白", "a\u2028b\u2029c", "a\u0085b", "a\u000bb\u000cc", "a\u200bb", "\ufeffBOM", "a\u180eb", "a\u1680b", "a\u202fb", "a\u205fb",
    "I'm", "don't", "we'll've", "they're", "it's'", "'s", " 's", "'S", "I'M DON'T", "'tis", "''s", "a'ree", "'", "''", "'l", "'ll", "'r e", "’s it’s", "'d'm't",
    "o'clock 5's", "s'", "'s's", " 'll", "\n're", "1's", "'1", "'é", "'\u0301s",
    "0", "1", "12", "123", "1234567890", " 1", "  12", "1 2  3", "a1b2c3", "3.14159", "-1e-10", "1,000,000", "2019-04-12 08:15", "½ ¼ ²³", "Ⅷ Ⅻ ⅷ", "٣٤٥",
    "०१२", "一二三 3", "①②③", "1\u03012", "𝟘𝟙𝟚", "x²+y²=z²", "10⁻³", "1\n2", "v1.2.3-rc4", "0x7F 0b101", "³", " ³", "a³b", "৩৪", "𐄇𐄈",
    "!", "!!!", "?!?!", "a.b,c;d:e", "(a) [b] {c}", "<a href=\"x\">y</a>", "a-b_c/d\\e|f", "#hash @at $5 50% &amp; *bold* ~x~ ^up^ `code` = +", "...", " ... ",
    "--", "—–―", "“quoted” ‘single’", "¿qué? ¡hola!", "€100 £5 ¥3 ₹9", "→ ⇒ ∀x∈ℝ: ∑ ≤ ∞", "©®™", "a…b", "• item", "§ 12 ¶", "‽", "!\u0301", "<|", "|>", "<||>",
    "<|endoftext|>", "<|im_start|>user\nHello<|im_end|>\n", "<|im_start|>", "x<|im_end|>y", "<|im_end", "<s></s><unk>", "<IMG><IMG> <IMG>",
    "<|im_start|>system\nYou are a helpful AI assistant<|im_end|>\n<|im_start|>assistant\n", "<|im_start|><|im_start|>", " <|im_end|> ", "1<|im_end|>2",
    "<repo_name>x/y<file_sep>a.py\n", "<|im_start|endoftext|>", "<<|im_end|>>", "  <|im_end|>  x",
    "é", "e\u0301", "ñ n\u0303", "ÀÉÎÕÜ", "ﬁ ﬂ ﬃ", "ẞß", "İı", "Ωω", "ǅ", "ʰʷ", "ªº", "a\u0300\u0301\u0302b", "\u0301", " \u0301a", "नमस्ते दुनिया", "ภาษาไทย", "ខ្មែរ",
    "한국어 텍스트", "\u1112\u1161\u11ab", "日本語のテキストです。", "胸部X線写真", "肺心肺", "中文，标点。", "ｆｕｌｌ ｗｉｄｔｈ １２３", "你好 world 你好", "𠀀𠀁", "カﾞガ",
    "עברית שלום", "مرحبا بالعالم", "\u202eabc\u202c", "\u200f\u200e", "السّلام", "فارسی ۱۲۳", "a\u061cb", "שָׁלוֹם",
    "🦙", "🦙🦙", "👩‍⚕️", "👨‍👩‍👧‍👦 family", "👍🏽", "🇩🇪🇫🇷", "❤️‍🔥", "☺ ☺️", "1️⃣2️⃣", "a🙂b", " 🙂 ", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "\u0000", "a\u0000b", "\u0001\u0002\u0003", "\u0007bell\u0008", "\u001b[31mred\u001b[0m", "\u007f", "a\u007fb", "\u0080\u009f", "\u00ad soft", "\ufffd", "\ufffe\uffff",
    "\ue000", "\U000f0000", "\U0010ffff", "\u0378", "\u2060", "\ufff9\ufffb", "\U000e0001", "\U0001fae8", "\ud7ff\ue000x", "\u034f", "\u115f", "\ufe0f",
    "a" * 40, "ab" * 40, "A" * 33, "the" * 30, " " * 40, "\n" * 20, " \n" * 12, "\t" * 17, "=" * 50, "-" * 33, "0" * 25, "é" * 20, "肺" * 20, "🦙" * 8, "'" * 9, "'s" * 9,
    "pneumonoultramicroscopicsilicovolcanoconiosis", "Donaudampfschifffahrtsgesellschaftskapitän", "CamelCaseWords123456", "snake_case_words", "SCREAMING_CASE",
    "https://example.org/path?query=1&other=%20#frag", "user@example.org", "C:\\Windows\\System32", "/usr/local/bin", "192.168.0.1:11112", "1.2.840.10008.5.1.4.1.1.1",
    "for i in range(10):\n\tprint(i)\n", "if (x == 0) {\n    return -1;\n}\n", "let x: [Int] = []; // comment", "SELECT * FROM t WHERE a='b';", "{\"key\": [1, 2.5, null]}",
    "#include <stdio.h>\nint main(void) { return 0; }\n", "# Title\n\n- a\n- b\n\n```\ncode\n```\n", "a\tb\tc\n1\t2\t3\n", "\\section{x} $\\alpha^2$", "x = y if z else w",
    "USER: . Predicted Findings: cardiomegaly, edema. You are to act as a radiologist ASSISTANT:", "is there any pleural effusion?", "pH 7.35, SpO2 98 %, T 37.2 °C",
    "FINDINGS:  The lungs are clear.\n\nIMPRESSION:\n1. No acute process.\n2. Stable.", "q.d. b.i.d. 5 mg/kg", "L1-L5", "s/p CABG x3", "CXR (PA & lateral)", "___ year-old M w/ SOB",
    "mild‐to‐moderate", "3 × 4 cm", "µm vs μm", "Å Å", "5′ 10″", "COVID-19", "T2-weighted", "no evidence of pneumothorax .", "RIGHT LUNG BASE OPACITY", "the the the the",
]

PARTS = [
    " ", " ", " ", "  ", "\n", "\t", "\r\n", "the", "Heart", "is", "NORMAL", "mild", "lung", "s", "ing", ",", ".", "1", "23", "4567", "é", "ß", "肺", "🦙", "\u0301", "Ω", "-", "<", ">",
    "'s", "'ll", "'", "’", "%", "(", ")", "À", "한국어", "عربي", "&", "µm", "\u00a0", "\u200d", "½", "٣", "_", "\"", "\u3000", "effusion", "pneumothorax", "!", "#", "\u0000", "\u2028", "Ⅷ",
]


def texts(count, seed=42):
    """Hand-picked traps, our sentences, then texts drawn by a fixed generator: `count` in all, at least."""
    result = list(dict.fromkeys(HAND_PICKED + SENTENCES))
    generator = random.Random(seed)
    while len(result) < count:
        if generator.random() < 0.8:
            result.append("".join(generator.choice(PARTS) for _ in range(generator.randrange(1, 14))))
        else:
            scalars = (generator.choice([0x80, 0x800, 0x3000, 0x10000, 0x20000, 0x110000]) for _ in range(generator.randrange(1, 9)))
            values = [generator.randrange(limit) for limit in scalars]
            result.append("".join(chr(value) for value in values if not 0xD800 <= value < 0xE000))
    return result


def byte_level(vocabulary, merges, digits):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level]) if digits else level
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def is_special(text):
    return any(mark in text for mark in ("<|", "<repo", "<IMG"))


def vectors(plain, special, all_texts, vocabulary_size, decodings):
    """`plain` knows no special tokens, `special` does: Hugging Face finds them always."""
    encodings = []
    for text in all_texts:
        encodings.append({"text": text, "special": False, "ids": plain.encode(text, add_special_tokens=False).ids})
        if is_special(text):
            encodings.append({"text": text, "special": True, "ids": special.encode(text, add_special_tokens=False).ids})
    generator = random.Random(7)
    result = []
    for _ in range(decodings):
        # Low ids are single bytes: broken characters.
        ids = [generator.randrange(min(280, vocabulary_size) if generator.random() < 0.8 else vocabulary_size) for _ in range(10)]
        result.append({"ids": ids, "text": special.decode(ids, skip_special_tokens=True)})
    return encodings, result


def write(path, source, encodings, decodings):
    def lines(rows):
        return ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in rows)

    with open(path, "w", encoding="ascii") as file:
        file.write('{"source":%s,\n"encodings":[\n%s\n],\n"decodings":[\n%s\n]}\n' % (json.dumps(source), lines(encodings), lines(decodings)))
    print(f"{path}: {len(encodings)} encodings, {len(decodings)} decodings")


def own(arguments):
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    for half, (name, digits) in enumerate((("plain", False), ("digits", True))):
        tokenizer = byte_level({}, [], digits)
        trainer = trainers.BpeTrainer(
            vocab_size=640, min_frequency=2, show_progress=False, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
        tokenizer.train_from_iterator(SENTENCES * 4, trainer=trainer)
        tokenizer.add_tokens([AddedToken("<IMG>", special=False, normalized=False)])
        # A fixed order, so that the file is the same on every run.
        parsed = json.loads(tokenizer.to_str())
        parsed["model"]["vocab"] = dict(sorted(parsed["model"]["vocab"].items(), key=lambda item: item[1]))
        with open(f"{arguments.out}/own-{name}.tokenizer.json", "w", encoding="utf-8") as file:
            json.dump(parsed, file, ensure_ascii=False, separators=(",", ":"))
        merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in parsed["model"]["merges"]]
        plain = byte_level(parsed["model"]["vocab"], merges, digits)
        encodings, decodings = vectors(plain, tokenizer, texts(0)[half::2], tokenizer.get_vocab_size(), 40)
        write(f"{arguments.out}/own-{name}.vectors.json", f"own-{name}.tokenizer.json, tokenizers", encodings, decodings)


def gguf(arguments):
    import tokenizers
    from gguf import GGUFReader
    from tokenizers import AddedToken

    fields = GGUFReader(arguments.gguf).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    pre = fields["tokenizer.ggml.pre"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    plain, special = (byte_level(vocabulary, merges, {"gpt-2": False, "smollm": True}[pre]) for _ in range(2))
    special.add_special_tokens([AddedToken(token, special=True, normalized=False) for token, kind in zip(tokens, types) if kind == 3])
    encodings, decodings = vectors(plain, special, texts(arguments.count), len(tokens), 60)
    source = f"{fields['general.name'].contents()}, pre {pre}; tokenizers {tokenizers.__version__}"
    if arguments.llama_cpp:
        source += "; compared with llama.cpp"
        request = b"".join(struct.pack("<BI", row["special"], len(row["text"].encode())) + row["text"].encode() for row in encodings)
        answer = subprocess.run([arguments.llama_cpp, arguments.gguf], input=request, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
        offset = 0
        for row in encodings:
            (count,) = struct.unpack_from("<I", answer, offset)
            ids = list(struct.unpack_from(f"<{count}i", answer, offset + 4))
            offset += 4 + 4 * count
            if ids != row["ids"]:
                row["llama_cpp_differs"] = True
                print("llama.cpp differs:", ascii(row["text"])[:100], row["special"], row["ids"][:12], ids[:12])
        assert offset == len(answer)
    write(arguments.out, source, encodings, decodings)


def stories(arguments):
    import sentencepiece

    data = open(arguments.tok512, "rb").read()
    offset = 4
    pieces = []
    while offset < len(data):
        score, length = struct.unpack_from("<fI", data, offset)
        # llama2.c writes spaces for U+2581, and line feeds around the two control tokens.
        pieces.append((data[offset + 8 : offset + 8 + length].decode().replace(" ", "\u2581"), score))
        offset += 8 + length

    def varint(value):
        return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)

    def message(field, content):
        return varint(field << 3 | 2) + varint(len(content)) + content

    model = b""
    for index, (text, score) in enumerate(pieces):
        kind = {0: 2, 1: 3, 2: 3}.get(index, 6 if index < 259 else 1)
        text = ["<unk>", "<s>", "</s>"][index] if index < 3 else f"<0x{index - 3:02X}>" if index < 259 else text
        model += message(1, message(1, text.encode()) + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind]))
    model += message(2, b"\x18\x02" + varint(35 << 3) + b"\x01")
    model += message(3, message(1, b"identity") + b"\x18\x01\x20\x00")
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    encodings = [{"text": text, "special": False, "ids": processor.encode(text)} for text in texts(0)[:: arguments.every]]
    generator = random.Random(7)
    decodings = []
    for _ in range(60):
        ids = [generator.randrange(len(pieces)) for _ in range(10)]
        decodings.append({"ids": ids, "text": processor.decode(ids)})
    write(arguments.out, f"stories260K (tok512.bin); sentencepiece {sentencepiece.__version__}", encodings, decodings)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("own")
    command.add_argument("out")
    command.set_defaults(run=own)
    command = commands.add_parser("gguf")
    command.add_argument("gguf")
    command.add_argument("out")
    command.add_argument("--count", type=int, default=340)
    command.add_argument("--llama-cpp")
    command.set_defaults(run=gguf)
    command = commands.add_parser("stories")
    command.add_argument("tok512")
    command.add_argument("out")
    command.add_argument("--every", type=int, default=2)
    command.set_defaults(run=stories)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
