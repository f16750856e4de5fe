"""`radialogctl label`: a text's fourteen labels, by rules and by a bundle's CheXbert."""
import hashlib
import json
import shutil

import pytest

from conftest import BUNDLE, ROOT
from test_command_line import CONFIGURATION, DATA, USAGE, run

FIXTURES = ROOT / "fixtures/chexbert"
EXPECTED = json.loads((FIXTURES / "expected.json").read_text())
TEXT = "FINDINGS: The heart is enlarged. There is no pleural effusion.\nPossible left basilar atelectasis.\n"


@pytest.fixture
def bundle(tmp_path):
    """The demonstration bundle with the small random CheXbert of the tests."""
    folder = tmp_path / "bundle"
    shutil.copytree(BUNDLE, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["labeler"] = EXPECTED["manifest"]
    for name in (EXPECTED["manifest"]["weights"], EXPECTED["manifest"]["tokenizer"]):
        content = (FIXTURES / name).read_bytes()
        (folder / name).write_bytes(content)
        manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def states(result):
    return {entry["label"]: entry["state"] for entry in result["labels"]}


def test_a_text_from_a_file_or_from_standard_input_is_labelled_by_rules(tmp_path):
    report = tmp_path / "report.txt"
    report.write_text(TEXT)
    result = json.loads(run("radialogctl", "label", report, "--json"))
    found = states(result["rules"])
    assert len(found) == 14 and "chexbert" not in result
    assert [found[label] for label in ("Cardiomegaly", "Pleural Effusion", "Atelectasis", "Fracture")] == ["positive", "negative", "uncertain", "blank"]
    lines = run("radialogctl", "label", "-", stdin=TEXT).splitlines()
    assert lines[0].split() == ["LABEL", "RULES"] and len(lines) == 15
    assert "Cardiomegaly                positive" in lines


def test_a_bundle_with_chexbert_labels_as_pytorch_does(bundle):
    assert "complete and sound" in run("radialogctl", "model", "verify", bundle)
    for report in (EXPECTED["reports"][3], EXPECTED["reports"][-1]):
        result = json.loads(run("radialogctl", "label", "-", "--bundle", bundle, "--threads", 2, "--json", stdin=report["text"]))
        found = states(result["chexbert"])
        assert [found[label] for label in EXPECTED["manifest"]["labels"]] == report["states"]
        assert result["chexbert"]["truncated"] == report["truncated"]
        assert len(result["bundle"]["sha256"]) == 64
    header, *rows = run("radialogctl", "label", "-", "--bundle", bundle, stdin=TEXT).splitlines()
    assert header.split() == ["LABEL", "RULES", "CHEXBERT"] and len(rows) == 14


def test_what_cannot_be_labelled_is_named(tmp_path, bundle):
    assert "absent.txt" in run("radialogctl", "label", tmp_path / "absent.txt", expect=DATA)
    assert str(tmp_path) in run("radialogctl", "label", tmp_path, expect=DATA)
    large = tmp_path / "large.txt"
    large.write_bytes(b"no effusion. " * 100_000)
    assert "1048576 bytes" in run("radialogctl", "label", large, expect=DATA)
    latin = tmp_path / "latin.txt"
    latin.write_bytes("Größe".encode("latin-1"))
    assert "not UTF-8" in run("radialogctl", "label", latin, expect=DATA)
    assert "no report labeler" in run("radialogctl", "label", "-", "--bundle", BUNDLE, expect=CONFIGURATION, stdin=TEXT)
    vocabulary = bundle / EXPECTED["manifest"]["tokenizer"]
    vocabulary.write_text(vocabulary.read_text().replace("lungs", "lunge"))
    assert vocabulary.name in run("radialogctl", "label", "-", "--bundle", bundle, expect=CONFIGURATION, stdin=TEXT)


def test_chexbert_is_not_imported_without_its_vocabulary(tmp_path):
    arguments = ["radialogctl", "model", "import", "v2", "--adapter", tmp_path, "--base", tmp_path, "--quantize", "q8_0", "--output", tmp_path / "out"]
    message = run(*arguments, "--chexbert", tmp_path / "chexbert.pth", expect=USAGE)
    assert "vocab.txt of the published model bert-base-uncased" in message
    assert "--chexbert FILE" in run(*arguments, "--chexbert-vocabulary", tmp_path / "vocab.txt", expect=USAGE)
    assert not list(tmp_path.iterdir())
