"""What a reader is told about a draft before signing: flags, and which image was used."""
import json
import shutil
import sqlite3
import subprocess

import hl7
import pydicom
import pytest
from pydicom.uid import generate_uid

from conftest import BINARIES, BUNDLE, FILMS, PASSWORD, wait_until

DEMONSTRATION = "DEMONSTRATION MODEL - NOT FOR CLINICAL USE"


@pytest.fixture(scope="module")
def eager_bundle(tmp_path_factory):
    """The demonstration bundle with thresholds of zero: every label counts as found, and no text speaks of them all."""
    bundle = tmp_path_factory.mktemp("bundle") / "eager"
    shutil.copytree(BUNDLE, bundle)
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["classifier"]["thresholds"] = [0.0] * len(manifest["classifier"]["labels"])
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    return bundle


def draft(film, bundle, *options):
    result = subprocess.run([BINARIES / "radialogctl", "draft", film, "--bundle", bundle, *options], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout


def sign(daemon, study, *options):
    """As a program signs: the password on standard input. Returns what came on standard error."""
    result = subprocess.run([BINARIES / "radialogctl", "sign", study, "--user", "reader", "--password-stdin", *options, "--config", daemon.config],
                            input=PASSWORD + "\n", capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stderr


@pytest.fixture
def flagged(make_daemon, mllp_server, eager_bundle):
    server = mllp_server()
    daemon = make_daemon(f"""
[[destination]]
name = "ris"
kind = "hl7"
host = "127.0.0.1"
port = {server.port}
receives = ["drafts", "signed"]
""").start("--set", f"model.bundle={eager_bundle}")
    daemon.add_user()
    assert daemon.storescu(FILMS / "chest-pa.dcm")[0] == 0
    (study, summary), = daemon.settled(1).items()
    assert summary["state"] == "drafted", summary
    yield daemon, study, server
    daemon.stop()


def test_every_omission_and_contradiction_is_a_flag_with_label_score_and_sentence(eager_bundle):
    result, = json.loads(draft(FILMS / "chest-pa.dcm", eager_bundle, "--json"))
    report = result["draft"]
    flags = report["flags"]
    scores = {finding["label"]: finding["score"] for finding in report["findings"]}
    assert any(flag["kind"] == "omission" for flag in flags), "no text speaks of thirteen findings"
    for flag in flags:
        assert flag["kind"] in ("contradiction", "omission", "unsupported", "comparison_without_prior")
        if flag["kind"] == "comparison_without_prior":
            continue
        assert flag["score"] == scores[flag["label"]] and flag["threshold"] == 0
        if flag["kind"] == "omission":
            assert flag.get("sentence") is None and flag["text_state"] == "blank"
        else:
            start, end = flag["sentence_range"]["start"], flag["sentence_range"]["end"]
            assert report["text"].encode()[start:end].decode() == flag["sentence"]
            assert DEMONSTRATION not in flag["sentence"]
    assert report["provenance"]["labeler"]
    text = draft(FILMS / "chest-pa.dcm", eager_bundle)
    assert f"Flags: {len(flags)} (" in text and "  - omission: " in text


def test_a_draft_that_says_what_the_classifier_sees_has_no_flags():
    for film in ("chest-pa.dcm", "chest-pa-normal-cr-jpeg-lossless.dcm"):
        result, = json.loads(draft(FILMS / film, BUNDLE, "--json"))
        assert result["draft"]["flags"] == [], film
        assert "Flags: none" in draft(FILMS / film, BUNDLE)


def test_flags_are_stored_shown_before_signing_and_never_part_of_what_is_signed(flagged, tmp_path):
    daemon, study, server = flagged
    shown = daemon.json("study", "show", study)
    flags = shown["draft"]["flags"]
    assert flags and shown["draft"]["provenance"]["labeler"]
    counted = f"{len(flags)} ("
    listing = daemon.ctl("study", "list")
    assert "FLAGS" in listing.splitlines()[0]
    text = daemon.ctl("study", "show", study)
    assert f"Flags      {counted}" in text
    assert all(flag["label"] in text for flag in flags if flag["kind"] != "comparison_without_prior")

    # The preliminary ORU counts them in one note, and quotes nothing.
    wait_until(lambda: len(server.messages) == 1, what="the draft's ORU")
    note, = [s for s in hl7.parse(server.messages[0].decode()) if str(s[0]) == "NTE"]
    assert f"flags: {counted}" in str(note[3]) and DEMONSTRATION in str(note[3])
    assert not any(flag["sentence"] in str(note[3]) for flag in flags if flag.get("sentence"))
    for format, trace in (("text", "Automated consistency check"), ("json", '"flags"')):
        assert trace in daemon.ctl("export", study, "--format", format, "--version", "draft", "--output", "-")

    # A human signs another text: the flags were told, stay with the draft, and go nowhere.
    edited = tmp_path / "edited.txt"
    edited.write_text("The heart is enlarged. Nothing else.\n")
    assert f"flags on the draft: {counted}" in sign(daemon, study, "--text-file", str(edited))
    after = daemon.json("study", "show", study)
    assert after["state"] == "signed" and after["draft"]["flags"] == flags
    wait_until(lambda: len(server.messages) == 2, what="the final ORU")
    assert not [s for s in hl7.parse(server.messages[1].decode()) if str(s[0]) == "NTE"]
    for format in ("text", "json"):
        final = daemon.ctl("export", study, "--format", format, "--version", "final", "--output", "-")
        assert "consistency" not in final and '"flags"' not in final
    # A correction is of a human's text: there is nothing to tell of the machine's.
    edited.write_text("The heart is enlarged.\n")
    assert "flags" not in sign(daemon, study, "--text-file", str(edited))
    # Counts may reach log and audit trail, sentences and patients not.
    assert f'"flags":"{len(flags)}"' in daemon.log.read_text().replace(" ", "")
    daemon.ctl("audit", "verify")


def test_a_database_of_before_the_flags_opens_and_says_that_nobody_compared(flagged):
    daemon, study, server = flagged
    daemon.stop()
    # As schema version 1 had it: no such column, and nothing that says so.
    with sqlite3.connect(daemon.state / "radialog.db") as database:
        triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ('draft', 'meta')").fetchall()
        for name, _ in triggers:
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("ALTER TABLE draft DROP COLUMN flags")
        database.execute("DELETE FROM meta WHERE key = 'schema-2'")
        for _, sql in triggers:
            database.execute(sql)
        database.execute("PRAGMA user_version = 1")
    shown = daemon.json("study", "show", study)
    assert shown["state"] == "drafted" and shown["draft"]["flags"] is None and shown["draft"]["text"]
    assert "not compared" in daemon.ctl("study", "show", study)
    assert "flags" not in sign(daemon, study)
    daemon.start()
    assert daemon.json("study", "show", study)["state"] == "signed"


def test_the_draft_says_which_image_of_the_study_was_used_and_why_not_the_others(make_daemon, tmp_path):
    daemon = make_daemon().start()
    pa = pydicom.dcmread(FILMS / "chest-pa.dcm")
    files = []
    for number, view in enumerate(("LL", "PA", "AP"), start=1):
        film = pydicom.dcmread(FILMS / "chest-pa.dcm")
        film.ViewPosition = view
        film.InstanceNumber = number
        film.SeriesDescription = "SECRET NAME"
        film.SOPInstanceUID = film.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        film.save_as(tmp_path / f"{view}.dcm")
        files.append(film)
    daemon.dcmsend(*(tmp_path / f"{view}.dcm" for view in ("LL", "PA", "AP")))
    (study, summary), = daemon.settled(1).items()
    assert study == pa.StudyInstanceUID and summary["state"] == "drafted"
    provenance = daemon.json("study", "show", study)["draft"]["provenance"]
    choice = provenance["image_choice"]
    assert choice["image_count"] == 3
    assert choice["used"] == {"number": 2, "sop_instance_uid": files[1].SOPInstanceUID, "view": "PA", "view_source": "ViewPosition"}
    assert choice["used"]["sop_instance_uid"] == provenance["sop_instance_uid"]
    assert [(i["number"], i["sop_instance_uid"], i["view"], i["not_used_because"]) for i in choice["not_used"]] == [
        (1, files[0].SOPInstanceUID, "lateral", "not-frontal"), (3, files[2].SOPInstanceUID, "AP", "view-goes-after")]
    assert "SECRET" not in json.dumps(choice)
    told = "image 2 of 3 used: PA (ViewPosition); not used: 1 lateral (ViewPosition), 3 AP (ViewPosition): view-goes-after"
    assert told in daemon.ctl("study", "show", study)
    assert told in daemon.ctl("export", study, "--format", "text", "--version", "draft", "--output", "-")
    assert "image 1 of 1 used: PA (ViewPosition)" in draft(tmp_path / "PA.dcm", BUNDLE)
    daemon.stop()
