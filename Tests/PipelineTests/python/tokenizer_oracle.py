"""Google's SentencePiece as an oracle.

    tokenizer_oracle.py MODEL IN OUT     IN: a JSON array of strings; OUT: a JSON array of {"text", "ids", "decoded"}
    tokenizer_oracle.py train OUT        trains the small models that TokenizerOracleTests.swift compares on

"decoded" is what the library makes of a part of the ids too ("cut": without the first and the last), so that broken bytes and words
without their beginning are compared.
"""

import json
import random
import sys

import sentencepiece as spm


def compare():
    processor = spm.SentencePieceProcessor(model_file=sys.argv[1])
    result = []
    for text in json.load(open(sys.argv[2], encoding="utf-8")):
        ids = processor.encode(text)
        result.append({"text": text, "ids": ids, "decoded": processor.decode(ids), "cut": processor.decode(ids[1:-1])})
    generator = random.Random(7)
    for _ in range(100):
        ids = [generator.randrange(min(600, processor.vocab_size()) if generator.random() < 0.7 else processor.vocab_size()) for _ in range(12)]
        result.append({"text": None, "ids": ids, "decoded": processor.decode(ids), "cut": processor.decode(ids[1:-1])})
    json.dump(result, open(sys.argv[3], "w", encoding="utf-8"))


def train():
    generator = random.Random(3)
    words = "the heart is normal in size no pleural effusion or pneumothorax lungs are clear mild cardiomegaly Überlegung été 肺 心 right left".split()
    lines = [" ".join(generator.choice(words) for _ in range(12)) for _ in range(2000)]
    common = dict(sentence_iterator=None, model_type="bpe", vocab_size=420, minloglevel=2, num_threads=1)
    variants = {
        "identity": dict(normalization_rule_name="identity", byte_fallback=True, remove_extra_whitespaces=False),
        "squeezed": dict(normalization_rule_name="identity", byte_fallback=True, remove_extra_whitespaces=True),
        "no_prefix": dict(normalization_rule_name="identity", byte_fallback=True, remove_extra_whitespaces=False, add_dummy_prefix=False),
        "no_bytes": dict(normalization_rule_name="identity", byte_fallback=False, vocab_size=200),
        "symbols": dict(normalization_rule_name="identity", byte_fallback=True, remove_extra_whitespaces=False,
                        user_defined_symbols=["<IMG>", "mild", "ab"]),
        "nfkc": dict(normalization_rule_name="nmt_nfkc", byte_fallback=True),
        "unigram": dict(normalization_rule_name="identity", model_type="unigram", vocab_size=300, byte_fallback=True),
    }
    for name, options in variants.items():
        arguments = {**common, **options, "sentence_iterator": iter(lines), "model_prefix": f"{sys.argv[2]}/{name}"}
        spm.SentencePieceTrainer.train(**arguments)


train() if sys.argv[1] == "train" else compare()
