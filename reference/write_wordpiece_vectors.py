#!/usr/bin/env python3
"""What Hugging Face's BertTokenizer (the one in Python, which CheXbert uses) makes of varied texts.

    write_wordpiece_vectors.py                        a vocabulary of our own and its vectors, into fixtures/tokenizer (committed)
    write_wordpiece_vectors.py VOCABULARY OUT.json    vectors of another vocab.txt, that of bert-base-uncased for example; never committed

A vector file: {"source", "limit", "encodings": [{"text", "ids"}], "reports": [...]}: ids with [CLS] and [SEP], cut at the limit as CheXbert's
bert_tokenizer.py cuts them. "reports": the text goes through what CheXbert does to a report before it tokenises it.

Texts with characters that Python's Unicode tables do not know are left out. Where a text names a special token, its name is text here and for us;
BertTokenizer itself would let a text hold a control token.
Needs: pip install "transformers<5". Nothing here reads the clock or the system's random numbers.
"""

import json
import re
import sys
import unicodedata
from pathlib import Path

import write_tokenizer_vectors as source

FIXTURES = Path(__file__).parent.parent / "fixtures/tokenizer"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

MORE = [
    "[CLS] text [SEP]", "[MASK]", "[UNK]", "[PAD]x", "cardiomegaly\nno", "Cardiomegaly,no.Effusion", "pneumothoraces", "hydropneumothorax", "reopacification",
    "ΣΟΦΟΣ", "ΑΣ ΣΑ", "ΟΔΟΣ.", "Σ", "aΣ", "Σa", "ΑΣ\u00adΒ", "Α.Σ", "Α'Σ'Β", "İSTANBUL", "ẞ", "ǅ", "ﬁne", "Ångström", "T̈est", "naïve", "façade", "ÇA",
    "\u0130\u0131", "À\u0300", "한국어", "각", "가나다", "ガギグ", "か\u3099", "ﾊﾞ", "豈更", "\uf900x\uf901", "\U0002f800", "x中y", "中文abc中文", "ひらがな", "\u037e", "\u1fef", "a\u0340b",
    "x" * 99, "x" * 100, "x" * 101, "é" * 100, "é" * 101, "\u0301" * 120 + "x", "ab" * 50, "ab" * 51, "中" * 120, "word " * 600, "x" * 100 + " " + "y" * 101,
    "no acute cardiopulmonary process " * 120, "." * 509, "." * 510, "." * 511, "." * 700, "a" + "\u0000" * 5 + "b", "\u200b\u200c", "a\u00adb", "a\u200db",
    "²", "½", "①", "Ⅷ", "𝒳", "µ", "ª", "…", "—", "‐", "¿", "§", "¶", "·", "«»", "„“", "′″", "$5", "a+b", "a=b", "<a>", "^", "`", "|", "~", "°C", "±", "×", "÷", "€", "©", "™", "_", "a_b",
    "___ year old", "r/o PTX", "w/ SOB", "3.5 cm", "T2N0M0", "PA/LAT", "<unk>", "##ing", "a##ing", "#", "# #", "##",
]
REPORTS = [
    "", " ", "\n\n", "\x0c", "FINDINGS:\x0cclear\x0blungs", "a\x1cb\x1dc\x1ed\x1fe", "a\x85b", "a\x07b", "a\u2028b\u2029c", "a\u3000b\u00a0c\u2007d\u202fe\u205ff\u1680g",
    "a\u180eb", "a\ufeffb", "a\u200bb", "\tThe heart is normal.\r\n\r\nNo effusion.\t", "x\x0c\x0cy ",
]


def vocabulary():
    """Special tokens, single characters, whole words of some sentences, and pieces that others are cut into."""
    tokens = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    singles = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    tokens += singles
    tokens += ["##" + character for character in singles if character.isalnum()]
    tokens += list("ßøłıςσοφδαβ中文肺胸部位写真線全角空白豈更€£°±×µ²½…—‐“”’‘«»§©™•→①")
    tokens += ["##ς", "##σ", "##ο", "##φ", "##δ", "##ß", "##²", "ᄒ", "##ᅡ", "##ᆫ", "か", "##カ", "カ", "ß##"]
    words = re.findall(r"[a-z]+", " ".join(source.SENTENCES).lower())
    for index, word in enumerate(dict.fromkeys(words)):
        if index % 3:
            tokens.append(word)
    tokens += ["cardio", "##megal", "##megaly", "##med", "##iast", "##inal", "pneumo", "##thorax", "##thora", "##ces", "##pneumo", "hydro", "##ing", "##s", "##ed", "##ly", "##ation",
               "##ions", "##ion", "##al", "re", "opac", "##ific", "##opac", "atel", "##ecta", "##sis", "naive", "facade", "angstrom", "acute", "process", "xx", "##xx", "##xxxx"]
    return list(dict.fromkeys(tokens))


def known(text):
    return all(unicodedata.category(character) != "Cn" or ord(character) in (0x378, 0xFFFE, 0xFFFF) for character in text)


def main():
    if len(sys.argv) > 1:
        path, out = Path(sys.argv[1]), Path(sys.argv[2])
    else:
        path, out = FIXTURES / "wordpiece.vocab.txt", FIXTURES / "wordpiece.vectors.json"
        path.write_text("".join(token + "\n" for token in vocabulary()), encoding="utf-8")

    import transformers
    from transformers import BertTokenizer
    from transformers.models.bert.tokenization_bert import BasicTokenizer, WordpieceTokenizer

    tokenizer = BertTokenizer(str(path))
    basic, pieces = BasicTokenizer(do_lower_case=True), WordpieceTokenizer(vocab=tokenizer.vocab, unk_token="[UNK]")
    limit = 512

    def encode(text):
        if any(name in text for name in SPECIAL):
            tokens = [piece for word in basic.tokenize(text) for piece in pieces.tokenize(word)]
        else:
            tokens = tokenizer.tokenize(text)
        ids = [tokenizer.cls_token_id] + tokenizer.convert_tokens_to_ids(tokens) + [tokenizer.sep_token_id]
        return ids if len(ids) <= limit else ids[: limit - 1] + [tokenizer.sep_token_id]

    def report(text):
        """get_impressions_from_csv, without pandas."""
        return re.sub(r"\s+", " ", text.strip().replace("\n", " ")).strip()

    texts = [text for text in dict.fromkeys(source.texts(360) + MORE) if known(text)]
    encodings = [{"text": text, "ids": encode(text)} for text in texts]
    reports = [{"text": text, "ids": encode(report(text))} for text in REPORTS + source.SENTENCES]
    rows = lambda list_: ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in list_)
    header = json.dumps(f"{path.name}, transformers {transformers.__version__} BertTokenizer")
    out.write_text('{"source":%s,"limit":%d,\n"encodings":[\n%s\n],\n"reports":[\n%s\n]}\n' % (header, limit, rows(encodings), rows(reports)), encoding="ascii")
    unknown = sum(tokenizer.unk_token_id in row["ids"] for row in encodings)
    print(f"{out}: {len(tokenizer.vocab)} tokens, {len(encodings)} texts ({unknown} with [UNK]), {len(reports)} reports")


if __name__ == "__main__":
    main()
