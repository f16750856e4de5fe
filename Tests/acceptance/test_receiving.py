"""Senders that are not ours: dcmsend, storescu, pynetdicom."""
import pathlib
import socket
import subprocess
import time

import pydicom
import pytest
from pydicom.uid import ComputedRadiographyImageStorage, CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import Verification

from conftest import FILMS, PASSWORD, corpus, wait_until


def film(**changes):
    dataset = pydicom.dcmread(FILMS / "chest-pa.dcm")
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    return dataset


def associate(daemon, contexts, called="RADIALOGD", calling="PYNETDICOM"):
    ae = AE(ae_title=calling)
    for abstract, transfer in contexts:
        ae.add_requested_context(abstract, transfer)
    return ae.associate("127.0.0.1", daemon.port, ae_title=called)


def test_every_fixture_film_ends_as_a_draft_or_with_a_coded_reason(make_daemon):
    daemon = make_daemon().start()
    films = sorted(FILMS.glob("*.dcm"))
    daemon.dcmsend(*films)
    expected = {pydicom.dcmread(f, stop_before_pixels=True).StudyInstanceUID for f in films}
    studies = daemon.settled(len(expected))
    assert set(studies) == expected
    for study in studies.values():
        assert (study["state"] == "drafted") != (study["no_draft_reason"] is not None), study
    reasons = {study["no_draft_reason"] for study in studies.values()} - {None}
    assert {"lateral-only", "not-a-chest-film"} <= reasons
    daemon.stop()


def test_the_real_films_of_the_corpus_each_end_as_a_draft_or_with_a_coded_reason(make_daemon):
    folder = corpus("A_chest_xray", "dicom")
    daemon = make_daemon().start()
    films = sorted(folder.rglob("*.dcm"))
    daemon.dcmsend(*films)
    expected = {pydicom.dcmread(f, stop_before_pixels=True).StudyInstanceUID for f in films}
    studies = daemon.settled(len(expected), timeout=300)
    assert set(studies) == expected
    for study in studies.values():
        assert (study["state"] == "drafted") != (study["no_draft_reason"] is not None), study
    dog = pydicom.dcmread(next(folder.rglob("dx_image.dcm")), stop_before_pixels=True).StudyInstanceUID
    assert studies[dog]["no_draft_reason"] == "not-human"
    assert sum(study["state"] == "drafted" for study in studies.values()) >= 2
    daemon.stop()


def test_associations_are_refused_with_the_right_reason(make_daemon):
    daemon = make_daemon('[[dicom.peer]]\nae_title = "MODALITY"\naddress = "127.0.0.1"\n'
                         '[[dicom.peer]]\nae_title = "ELSEWHERE"\naddress = "192.0.2.1"\n').start()

    # DCMTK's echoscu: pynetdicom loses a rejection that is there before its own thread has woken.
    def outcome(called, calling):
        result = subprocess.run(["echoscu", "-aet", calling, "-aec", called, "127.0.0.1", str(daemon.port)],
                                capture_output=True, text=True, timeout=60)
        if result.returncode == 0:
            return "accepted"
        return [line.partition(": ")[2] for line in (result.stdout + result.stderr).splitlines() if "Result:" in line or "Reason:" in line]

    permanent = "Result: Rejected Permanent, Source: Service User"
    assert outcome("RADIALOGD", "MODALITY") == "accepted"
    assert outcome("WRONG", "MODALITY") == [permanent, "Reason: Called AE Title Not Recognized"]
    assert outcome("RADIALOGD", "STRANGER") == [permanent, "Reason: Calling AE Title Not Recognized"]
    assert outcome("RADIALOGD", "ELSEWHERE") == [permanent, "Reason: Calling AE Title Not Recognized"]
    daemon.stop()


def test_a_duplicate_changes_nothing_and_other_bytes_are_quarantined(make_daemon):
    daemon = make_daemon().start()
    assert daemon.storescu(FILMS / "chest-pa.dcm")[0] == 0
    (study, before), = daemon.settled(1).items()
    association = associate(daemon, [(film().SOPClassUID, [film().file_meta.TransferSyntaxUID])])
    assert association.send_c_store(film()).Status == 0x0000
    assert association.send_c_store(film(SeriesDescription="other bytes")).Status == 0x0000
    association.release()
    assert daemon.studies()[study] == before
    # The first object is the study's; the other one is kept for a human, beside it, and neither is overwritten.
    stored = [pydicom.dcmread(f, stop_before_pixels=True) for f in (daemon.state / "objects").rglob("*.dcm")]
    assert sorted(str(d.get("SeriesDescription")) for d in stored) == sorted([str(film().get("SeriesDescription")), "other bytes"])
    rows = subprocess.run(["sqlite3", f"file:{daemon.state}/radialog.db?mode=ro", "SELECT reason FROM quarantine"],
                          capture_output=True, text=True, check=True)
    assert rows.stdout.split() == ["other-content"]
    daemon.stop()


def test_an_object_that_is_not_what_the_command_says_is_refused(make_daemon):
    daemon = make_daemon().start()
    association = associate(daemon, [(ComputedRadiographyImageStorage, [ExplicitVRLittleEndian]), (CTImageStorage, [ExplicitVRLittleEndian])])
    # CT is not negotiated at all.
    assert [c.abstract_syntax for c in association.accepted_contexts] == [ComputedRadiographyImageStorage]
    from pynetdicom.dimse_primitives import C_STORE
    from pynetdicom.dsutils import encode
    from io import BytesIO
    lying = film(SOPInstanceUID=generate_uid())
    request = C_STORE()
    request.MessageID = 7
    request.AffectedSOPClassUID = ComputedRadiographyImageStorage
    request.AffectedSOPInstanceUID = generate_uid()
    request.Priority = 0
    request.DataSet = BytesIO(encode(lying, False, True))
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, association.accepted_contexts[0].context_id)
    _, response = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    assert response.Status == 0xA900
    association.release()
    assert daemon.studies() == {}
    assert list((daemon.state / "objects").rglob("*.dcm")) == []
    daemon.stop()


def test_the_priority_of_a_c_store_and_of_a_person_is_the_study_s(make_daemon):
    daemon = make_daemon(quiet_period="1h").start()

    def priorities():
        rows = subprocess.run(["sqlite3", f"file:{daemon.state}/radialog.db?mode=ro", "SELECT study_instance_uid, priority FROM study"],
                              capture_output=True, text=True, check=True)
        return dict(line.split("|") for line in rows.stdout.split())

    wanted = {}
    for priority, expected in [(0, "0"), (1, "1"), (2, "0")]:  # MEDIUM, HIGH, LOW: what toolkits send where nobody chose
        dataset = film(SOPInstanceUID=generate_uid(), StudyInstanceUID=generate_uid())
        association = associate(daemon, [(dataset.SOPClassUID, [dataset.file_meta.TransferSyntaxUID])])
        assert association.send_c_store(dataset, priority=priority).Status == 0x0000
        association.release()
        wanted[dataset.StudyInstanceUID] = expected
    assert priorities() == wanted
    study = next(iter(wanted))
    daemon.add_user()
    daemon.ctl("study", "prioritize", study, "low", "--user", "reader", "--password-stdin", stdin=PASSWORD + "\n")
    assert priorities() == {**wanted, study: "-1"}
    daemon.ctl("study", "prioritize", study, "high", "--user", "reader", "--password-stdin", stdin="wrong\n", expect=77)
    assert priorities()[study] == "-1"
    daemon.stop()


def test_a_silent_peer_does_not_keep_others_waiting(make_daemon):
    daemon = make_daemon().start()
    silent = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(5)]
    silent[0].sendall(b"\x01\x00\x00\x00")  # half a PDU header
    started = time.monotonic()
    assert daemon.storescu(FILMS / "chest-pa.dcm")[0] == 0
    assert time.monotonic() - started < 25, "a silent peer has 30 s; a sender must not wait for it"
    for connection in silent:
        connection.close()
    daemon.stop()


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_pynetdicom_objects_are_stored_bit_for_bit(make_daemon, tmp_path, syntax):
    daemon = make_daemon().start()
    dataset = film()
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        dataset.decompress()
    from pynetdicom.dsutils import encode
    file = tmp_path / "film.dcm"
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(file, implicit_vr=syntax.is_implicit_VR, little_endian=True)
    dataset = pydicom.dcmread(file)
    sent = encode(dataset, syntax.is_implicit_VR, True)
    association = associate(daemon, [(dataset.SOPClassUID, [syntax])])
    assert association.send_c_store(dataset).Status == 0x0000
    association.release()
    stored, = (daemon.state / "objects").rglob("*.dcm")
    assert stored.read_bytes().endswith(sent)
    back = pydicom.dcmread(stored)
    assert back.file_meta.TransferSyntaxUID == syntax and back.SOPInstanceUID == dataset.SOPInstanceUID
    daemon.stop()


def test_a_late_object_reopens_the_study(make_daemon):
    daemon = make_daemon().start()
    first = film()
    association = associate(daemon, [(first.SOPClassUID, [first.file_meta.TransferSyntaxUID])])
    assert association.send_c_store(first).Status == 0x0000
    daemon.settled(1)
    late = film(SOPInstanceUID=generate_uid(), InstanceNumber=2)
    late.file_meta.MediaStorageSOPInstanceUID = late.SOPInstanceUID
    assert association.send_c_store(late).Status == 0x0000
    association.release()
    study = first.StudyInstanceUID

    def redrafted():
        shown = daemon.json("study", "show", study)
        return shown["state"] == "drafted" and shown["report"]["version"] >= 2 and shown

    wait_until(redrafted, what="a second draft, as nobody had opened the first")
    daemon.stop()


def test_a_study_without_patient_id_waits_for_a_human(make_daemon):
    daemon = make_daemon().start()
    daemon.add_user()
    nameless = film(PatientID="")
    association = associate(daemon, [(nameless.SOPClassUID, [nameless.file_meta.TransferSyntaxUID])])
    assert association.send_c_store(nameless).Status == 0x0000
    association.release()
    (study, summary), = daemon.settled(1).items()
    assert summary["no_draft_reason"] == "missing-patient-id"
    daemon.ctl("study", "release", study, "--user", "reader", "--password-stdin", stdin=PASSWORD + "\n")
    wait_until(lambda: daemon.studies()[study]["state"] == "drafted", what="the draft after the release")
    daemon.stop()


def test_threads_that_compute_give_way_to_those_that_receive(make_daemon):
    daemon = make_daemon("threads = 3\n").start()
    daemon.dcmsend(FILMS / "chest-pa.dcm")
    daemon.settled(1)
    nice = {}
    for task in pathlib.Path(f"/proc/{daemon.process.pid}/task").iterdir():
        # Fields of proc(5), counted behind the name in brackets: the nineteenth is the nice value.
        name, fields = (task / "stat").read_text().split("(", 1)[1].rsplit(")", 1)
        nice.setdefault(name, []).append(int(fields.split()[19 - 3]))
    assert nice["kernels-1"] == [10] and nice["kernels-2"] == [10], nice
    assert {value for name, values in nice.items() if name.startswith("draft-") for value in values} == {10}, nice
    others = [value for name, values in nice.items() if not name.startswith(("draft-", "kernels-")) for value in values]
    assert max(others) == 0 and "receive" in nice and "assemble" in nice, nice
    daemon.stop()
