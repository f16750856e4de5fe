"""A chest film in, a signed report out, with receivers that are not ours."""
import subprocess

import hl7
import pydicom
import pytest
from hl7apy.parser import parse_message

from conftest import FILMS, MLLPServer, wait_until

DEMONSTRATION = "DEMONSTRATION MODEL - NOT FOR CLINICAL USE"
UNREVIEWED = "UNREVIEWED MACHINE DRAFT"


def destinations(server: MLLPServer, archive_port: int) -> str:
    return f"""
[[destination]]
name = "ris"
kind = "hl7"
host = "127.0.0.1"
port = {server.port}
receives = ["drafts", "signed"]
[[destination]]
name = "archive"
kind = "dicom"
host = "127.0.0.1"
port = {archive_port}
ae_title = "ARCHIVE"
receives = ["drafts", "signed"]
"""


def segments(message: bytes, name: str):
    return [s for s in hl7.parse(message.decode("utf-8")) if str(s[0]) == name]


@pytest.fixture
def finished(make_daemon, mllp_server, storescp):
    """A film drafted, signed, corrected; gives everything that left the daemon."""
    server = mllp_server()
    archive_port, archive = storescp
    daemon = make_daemon(destinations(server, archive_port)).start()
    daemon.add_user()
    status, output = daemon.storescu(FILMS / "chest-pa.dcm")
    assert status == 0 and "Received Store Response (Success)" in output, output
    (study, summary), = daemon.settled(1).items()
    assert summary["state"] == "drafted", summary
    shown = daemon.json("study", "show", study)
    daemon.sign(study)
    wait_until(lambda: len(server.messages) == 2, what="the draft's and the final ORU")
    daemon.sign(study, text="The heart is normal in size. Corrected by hand: ÄÖÜ | & ^ ~ \\ end.\n")
    wait_until(lambda: len(server.messages) == 3, what="the corrected ORU")
    wait_until(lambda: all(d["state"] == "delivered" for d in daemon.json("delivery", "list")), what="all deliveries")
    documents = sorted((pydicom.dcmread(f) for f in archive.iterdir()), key=lambda d: (d.ContentDate, d.ContentTime, d.CompletionFlag))
    yield daemon, study, shown, server.messages, documents, archive
    daemon.stop()


def test_a_film_becomes_a_draft_a_signed_report_and_a_correction(finished):
    daemon, study, shown, messages, documents, archive = finished
    film = pydicom.dcmread(FILMS / "chest-pa.dcm", stop_before_pixels=True)

    # The draft names its origin, and every line says what wrote it.
    assert shown["study_instance_uid"] == study == film.StudyInstanceUID
    assert shown["accession_number"] == film.AccessionNumber and shown["patient_id"] == film.PatientID
    assert shown["draft"]["bundle"]["kind"] == "demo" and len(shown["draft"]["bundle"]["sha256"]) == 64
    assert len(shown["draft"]["findings"]) == 14
    assert all(DEMONSTRATION in line for line in shown["draft"]["text"].splitlines())

    # ORU: R, F, C; one filler number; the principal interpreter only once signed.
    assert [segments(m, "OBR")[0][25][0] for m in messages] == ["R", "F", "C"]
    assert len({str(segments(m, "OBR")[0][3]) for m in messages}) == 1
    assert [bool(str(segments(m, "OBR")[0][32]) if len(segments(m, "OBR")[0]) > 32 else "") for m in messages] == [False, True, True]
    assert len({str(segments(m, "MSH")[0][10]) for m in messages}) == 3
    for message in messages:
        parsed = parse_message(message.decode("utf-8"))
        assert parsed.msh.msh_9.value == "ORU^R01^ORU_R01"
        assert str(segments(message, "PID")[0][5]) == str(film.PatientName)
        assert DEMONSTRATION in message.decode()
    assert UNREVIEWED in messages[0].decode() and UNREVIEWED not in messages[1].decode()
    assert "ÄÖÜ \\F\\ \\T\\ \\S\\ \\R\\ \\E\\ end" in messages[2].decode()

    # SR: PRELIMINARY/PARTIAL/UNVERIFIED, then FINAL/COMPLETE/VERIFIED naming the predecessor.
    flags = {(d.PreliminaryFlag, d.CompletionFlag, d.VerificationFlag) for d in documents}
    assert flags == {("PRELIMINARY", "PARTIAL", "UNVERIFIED"), ("FINAL", "COMPLETE", "VERIFIED")}
    chain = {}
    for document in documents:
        assert document.StudyInstanceUID == study and document.PatientID == film.PatientID
        evidence = document.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
        assert evidence[0].ReferencedSOPInstanceUID == film.SOPInstanceUID
        previous = document.get("PredecessorDocumentsSequence")
        chain[document.SOPInstanceUID] = (
            previous[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID if previous else None)
    draft, = [uid for uid, previous in chain.items() if previous is None]
    final, = [uid for uid, previous in chain.items() if previous == draft]
    corrected, = [uid for uid, previous in chain.items() if previous == final]
    by_uid = {d.SOPInstanceUID: d for d in documents}
    assert by_uid[draft].VerificationFlag == "UNVERIFIED"
    assert str(by_uid[final].VerifyingObserverSequence[0].VerifyingObserverName) == "Reader^Anna"
    assert by_uid[corrected].VerificationFlag == "VERIFIED"
    daemon.ctl("audit", "verify")  # exit status 0: the chain holds


def test_every_sr_passes_the_independent_validators(finished):
    *_, archive = finished
    files = sorted(archive.iterdir())
    assert len(files) == 3
    for file in files:
        checked = subprocess.run(["dciodvfy", file], capture_output=True, text=True)
        errors = [line for line in (checked.stdout + checked.stderr).splitlines() if line.startswith("Error")]
        assert errors == [], errors
        dumped = subprocess.run(["dsrdump", "-Er", file], capture_output=True, text=True)
        assert dumped.returncode == 0 and not [l for l in dumped.stderr.splitlines() if l.startswith("E:")], dumped.stderr


def test_exports_equal_what_was_delivered(finished, tmp_path):
    daemon, study, _, messages, documents, _ = finished
    for version, message in (("draft", messages[0]), ("final", messages[2])):
        target = tmp_path / f"{version}.hl7"
        daemon.ctl("export", study, "--format", "oru", "--version", version, "--output", str(target))
        body = [s for s in target.read_bytes().split(b"\r") if not s.startswith(b"MSH")]
        assert body == [s for s in message.split(b"\r") if not s.startswith(b"MSH")]
    target = tmp_path / "final.dcm"
    daemon.ctl("export", study, "--format", "sr", "--version", "final", "--output", str(target))
    assert pydicom.dcmread(target).SOPInstanceUID in {d.SOPInstanceUID for d in documents}
