"""A SentencePiece BPE vocabulary with LLaMA's settings, trained on the model's own prompts and texts."""

import io

import sentencepiece as spm

import config as c


def train(lines, path):
    """Writes the model to `path` and returns the loaded processor. Same lines, same model."""
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, model_type="bpe", vocab_size=c.VOCABULARY,
        byte_fallback=True, split_digits=True, add_dummy_prefix=True, remove_extra_whitespaces=False,
        normalization_rule_name="identity", character_coverage=1.0, max_sentence_length=8192,
        hard_vocab_limit=False, num_threads=1, minloglevel=1)
    path.write_bytes(model.getvalue())
    processor = spm.SentencePieceProcessor(model_proto=model.getvalue())
    if processor.vocab_size() > c.VOCABULARY:
        raise SystemExit(f"the tokenizer has {processor.vocab_size()} pieces, more than {c.VOCABULARY}")
    return processor
