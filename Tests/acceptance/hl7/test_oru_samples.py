"""The ORU messages of HL7OutTests, read by parsers that are not ours.

`RADIALOG_TEST_OUTPUT=DIR swift test --filter HL7OutTests` writes them to DIR/hl7; this reads them from there.
"""
import os
import pathlib
import re

import hl7
import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hl7apy.validation import Validator

FOLDER = pathlib.Path(os.environ.get("RADIALOG_TEST_OUTPUT", "/nonexistent")) / "hl7"
SAMPLES = sorted(FOLDER.glob("*.hl7"))
# As Swift wrote it, and as every receiver must read it.
LINES = ["Heart & lungs ÄÖÜ: a|b ^ c ~ d \\ e.", "", "No effusion."]
UNREVIEWED = "UNREVIEWED MACHINE DRAFT - NOT A DIAGNOSIS"
DEMONSTRATION = "DEMONSTRATION MODEL - NOT FOR CLINICAL USE"

pytestmark = pytest.mark.skipif(not SAMPLES, reason=f"no samples in {FOLDER}: run HL7OutTests with RADIALOG_TEST_OUTPUT set")


def named(path):
    version, text_type, status, kind = path.stem.split("-")
    return version, text_type, status, kind


def text_of(path):
    return path.read_bytes().decode("utf-8")


def unescape(field):
    """By python-hl7's own reading of escapes; the line break is a formatting command that it leaves alone."""
    return hl7.parse("MSH|^~\\&|\rNTE|||x").unescape(field.replace("\\.br\\", "\n"))


def test_every_combination_was_written():
    assert len(SAMPLES) == 3 * 2 * 3 * 2


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_hl7apy_finds_the_structure_valid(path, tmp_path):
    version, _, _, _ = named(path)
    # hl7apy takes OBX-5 for ST whatever OBX-2 says, and ST has 199 characters: the text is cut for it.
    text = re.sub(r"(\|FT\|[^|]*\|1\|)([^|]*)", lambda m: m[1] + m[2][:150], text_of(path))
    message = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True)
    assert message.version == version and message.name == "ORU_R01"
    report = tmp_path / "report.txt"
    # Errors raise nothing when a report file is given: they are in the file, warnings too.
    valid = Validator.validate(message, report_file=str(report))
    found = report.read_text().splitlines()
    assert [line for line in found if not line.lower().startswith("warning")] == []
    assert valid


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_python_hl7_reads_what_was_meant(path):
    version, text_type, status, kind = named(path)
    message = hl7.parse(text_of(path))
    assert [str(s[0]) for s in message][:5] == ["MSH", "PID", "ORC", "OBR", "OBX"]
    msh, pid, orc, obr = (message.segment(name) for name in ("MSH", "PID", "ORC", "OBR"))
    assert str(msh[12]) == version and str(msh[18]) == "UNICODE UTF-8"
    assert str(msh[9]) == ("ORU^R01" if version == "2.3.1" else "ORU^R01^ORU_R01")
    assert str(pid[3][0][0]) == "PAT-0815" and str(pid[3][0][3]) == "HOSPITAL"
    assert [[str(r[0]), str(r[1]), str(r[7])] for r in pid[5]] == [
        ["Yamada", "Tarou", "A"], ["山田", "太郎", "I"], ["やまだ", "たろう", "P"]]
    assert str(orc[2]) == str(obr[2]) == "PL-1" and str(orc[3]) == str(obr[3]) == "FI-1"
    expected = {"preliminary": "R", "final": "F", "corrected": "C"}[status]
    assert str(obr[25]) == expected
    assert (len(obr) > 32 and str(obr[32]).startswith("anna&Reader&Anna")) == (status != "preliminary")

    observations = message.segments("OBX")
    assert [str(o[1]) for o in observations] == [str(n) for n in range(1, len(observations) + 1)]
    assert {str(o[11]) for o in observations} == {expected}
    assert str(observations[0][3]) == "113014^DICOM Study^DCM" and str(observations[0][5]) == "1.2.826.0.1.3680043.8.498.1"
    findings = [o for o in observations if str(o[3]) == "59776-5^Procedure Findings^LN"]
    assert {str(o[2]) for o in findings} == {text_type}
    lines = [unescape(str(o[5])) for o in findings] if text_type == "TX" else unescape(str(findings[0][5])).split("\n")
    assert (UNREVIEWED in lines[0]) == (status == "preliminary")
    text = lines[1:] if status == "preliminary" else lines
    if kind == "demo":
        assert all(DEMONSTRATION in line for line in lines if line.strip())
        text = [line.removeprefix(f"[{DEMONSTRATION}] ") for line in text]
    assert [line.strip() for line in text] == LINES

    scores = [o for o in observations if str(o[2]) == "NM"]
    assert (len(scores) > 0) == (status == "preliminary")
    for score in scores:
        assert "Model score, not a finding" in str(score[3]) and 0 <= float(str(score[5])) <= 1
        assert kind != "demo" or DEMONSTRATION in str(score[3])
    # The samples of the demonstration bundle have flags: a draft counts them in one note behind its text, a signed report never.
    notes = [s for s in message if str(s[0]) == "NTE"]
    assert len(notes) == (1 if kind == "demo" and status == "preliminary" else 0)
    for note in notes:
        assert str(note[2]) == "L" and "flags: 3 (" in str(note[3]) and DEMONSTRATION in str(note[3]) and "Unchanged" not in str(note[3])
        before = [str(s[0]) for s in message].index("NTE") - 1
        assert str(message[before][3]) == "59776-5^Procedure Findings^LN"

    model = "radialog-demo" if kind == "demo" else "radialog-clinical"
    for observation in findings + scores:
        assert str(observation[17]).startswith(f"{model} 1.2.0^") and "ab" * 32 in str(observation[17])
        assert version == "2.3.1" or str(observation[18]).startswith("ab" * 32)
