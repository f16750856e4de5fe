#!/usr/bin/env python3
"""write_first_generation_prompt.py TOKENIZER_MODEL: RaDialog v1's prompt in tokens, by the library that it was trained with.

Needs transformers==4.28.1 and sentencepiece, in an environment of their own; TOKENIZER_MODEL is LLaMA's (32000 pieces; Vicuna's is the same).
Writes fixtures/alignment/first-generation-prompt.json: the texts, and the tokens around the 32 `<IMG>` and behind `</s>`.
"""

import json
import sys
from pathlib import Path

from transformers import AddedToken, LlamaTokenizer, __version__

SYSTEM = ("A chat between a curious user and an artificial intelligence assistant acting as an experienced radiologist. "
          "The assistant gives professional, detailed, and polite answers to the user's questions.")
INSTRUCTION = ("Image information: {image}. Predicted Findings: {findings}. You are to act as a radiologist and write the finding section of a chest "
               "x-ray radiology report for this X-ray image and the given predicted findings. Write in the style of a radiologist, write one fluent "
               "text without enumeration, be concise and don't provide explanations or reasons.")
FINDINGS, ANSWER, QUESTION = "cardiomegaly, pleural effusion", "The lungs are clear.", "Is there any edema?"


def main(model):
    assert __version__ == "4.28.1", __version__
    plain = lambda text: AddedToken(text, lstrip=False, rstrip=False, normalized=False)
    tokenizer = LlamaTokenizer(model, bos_token=plain("<s>"), eos_token=plain("</s>"), unk_token=plain("<unk>"))
    tokenizer.sanitize_special_tokens()  # as from_pretrained does
    tokenizer.add_special_tokens({"additional_special_tokens": ["<IMG>"]})
    instruction = INSTRUCTION.format(image="<IMG>" * 32, findings=FINDINGS)
    ids = tokenizer(f"{SYSTEM} USER: {instruction} ASSISTANT: {ANSWER}</s>USER: {QUESTION} ASSISTANT:")["input_ids"]
    first, end, image = ids.index(32000), ids.index(tokenizer.eos_token_id), tokenizer.convert_tokens_to_ids("<IMG>")
    assert image == 32000 and ids.count(image) == 32 and ids[first : first + 32] == [image] * 32
    answer = len(tokenizer(ANSWER, add_special_tokens=False)["input_ids"])
    record = {
        "transformers": __version__, "system": SYSTEM, "instruction": INSTRUCTION, "findings": FINDINGS, "question": QUESTION,
        "before_image": ids[:first], "after_image": ids[first + 32 : end - answer], "follow_up": ids[end + 1 :],
    }
    path = Path(__file__).parent.parent / "fixtures/alignment/first-generation-prompt.json"
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
