"""Reads texts back by rule: which findings a report states, and whether an answer has its task's form.

Written against English, not against the templates: a finding counts where its word stands in a sentence without a negation.
"""

import re

import config as c
from report import GROUP_OF

MARK = "[DEMONSTRATION MODEL - NOT FOR CLINICAL USE] "
WORDS = {
    "Enlarged Cardiomediastinum": r"widen|enlarged cardiomediastin|enlarged mediastin",
    "Cardiomegaly": r"cardiomegaly|heart (is|appears) (\w+ )?enlarged", "Lung Opacity": r"opacit", "Lung Lesion": r"nodule|\bmass\b|lesion",
    "Edema": r"edema", "Consolidation": r"consolidation", "Pneumonia": r"pneumonia", "Atelectasis": r"atelecta",
    "Pneumothorax": r"pneumothora", "Pleural Effusion": r"effusion", "Pleural Other": r"pleural (thickening|other)", "Fracture": r"fracture",
    "Support Devices": r"pacemaker|\btube\b|venous line|wires|support devices",
}
NEGATION = re.compile(r"\b(no|not|without|nor|free of)\b", re.I)
JARGON = re.compile(r"effusion|pneumothorax|atelecta|cardiomegaly|consolidation|edema|opacit|mediastin|pleura|osseous|silhouette|lesion|fracture", re.I)
HEALTHY = {"lungs": r"lungs are clear", "heart": r"heart|silhouette|mediastin|contours", "bones": r"osseous|bones|bony"}


def unmarked(text):
    """Takes the demonstration mark off the front of every line."""
    return "\n".join(line.removeprefix(MARK) for line in text.split("\n")).strip()


def sentences(text):
    return [s for s in re.split(r"(?<=[.!?])\s+", text.strip()) if s]


def stated(text):
    """The set of labels that the text states as present; 'No Finding' where nothing but devices is."""
    found = set()
    for sentence in sentences(text):
        if not NEGATION.search(sentence):
            found |= {label for label, words in WORDS.items() if re.search(words, sentence, re.I)}
    return found | ({"No Finding"} if not found - {"Support Devices"} else set())


def groups(sentence):
    """Which parts of the chest a sentence speaks of."""
    found = {GROUP_OF[label] for label, words in WORDS.items() if re.search(words, sentence, re.I)}
    return found | {g for g, words in HEALTHY.items() if re.search(words, sentence, re.I)}


def correction_is_right(before, after, added, removed):
    """The added finding is stated, the removed one is not, and no sentence about another part of the chest changed."""
    now = stated(after)
    touched = {GROUP_OF[l] for l in (added, removed) if l}
    other = lambda text: [s for s in sentences(text) if not groups(s) & touched]
    return (not added or added in now) and (not removed or removed not in now) and other(before) == other(after)


def has_form(task, answer, question, details):
    """details: {'finding', 'region', 'before', 'added', 'removed'} as the task needs."""
    names = [c.LABELS[i].lower() for i in range(len(c.LABELS))] + ["no common findings"]
    named = lambda label: re.search(WORDS[label], answer, re.I) is not None
    one = len(sentences(answer)) == 1 and answer.endswith(".")
    if task == "findings_complete":
        return all(item in names for item in answer.split(", "))
    if task == "findings_binary":
        return bool(re.match(r"(Yes|No), there (is|are) ", answer)) and one and named(details["finding"])
    if task == "reasoning":
        return bool(re.match(r"I think of .+ because .+\.$|I do not see any sign of .+\.$", answer)) and one and named(details["finding"])
    if task == "region":
        return bool(re.match(rf"(Yes|No), the {details['region']} (is|are|show|shows|size) .+\.$", answer)) and one
    if task == "easy_language":
        return answer.startswith("In simple words: ") and answer.endswith(".") and not JARGON.search(answer)
    if task == "summarisation":
        return answer.startswith("In summary, ") and one
    if task == "impression":
        return bool(re.match(r"Impression: [A-Z].+\.$", answer))
    if task == "view":
        return bool(re.fullmatch(r"The image was taken in (PA|AP) view\.", answer))
    if task == "radrestruct":
        return answer in re.search(r"Options: (.+)\.", question).group(1).split(", ")
    return correction_is_right(details["before"], answer, details.get("added"), details.get("removed"))
