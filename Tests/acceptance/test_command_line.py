"""radialogctl and radialogd as a person meets them: what they say, and with which exit status."""
import json
import shutil
import sqlite3
import subprocess

import pytest

from conftest import BINARIES, BUNDLE, FILMS, PASSWORD, wait_until

USAGE, DATA, NOT_FOUND, CANNOT_CREATE, CONFLICT, DENIED, CONFIGURATION = 64, 65, 66, 73, 76, 77, 78


def run(*arguments, expect=0, stdin=""):
    result = subprocess.run([BINARIES / arguments[0], *map(str, arguments[1:])], input=stdin, capture_output=True, text=True, timeout=120)
    assert result.returncode == expect, f"{arguments}: exit {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result.stdout if expect == 0 else result.stderr


@pytest.fixture
def drafted(make_daemon):
    daemon = make_daemon().start()
    daemon.add_user()
    assert daemon.storescu(FILMS / "chest-pa.dcm")[0] == 0
    (study, _), = daemon.settled(1).items()
    yield daemon, study
    daemon.stop()


def test_the_same_film_gives_the_same_draft_whatever_the_threads():
    films = [FILMS / "chest-pa.dcm"]
    runs = [json.loads(run("radialogctl", "draft", *films, "--bundle", BUNDLE, "--threads", threads, "--json")) for threads in (1, 2, 1)]
    for results in runs:
        for result in results:
            del result["draft"]["provenance"]["timings"]
            del result["file"]
    assert runs[0] == runs[1] == runs[2]
    assert runs[0][0]["draft"]["text"]


def test_questions_about_a_draft_are_answered_and_marked():
    result, = json.loads(run("radialogctl", "draft", FILMS / "chest-pa.dcm", "--bundle", BUNDLE, "--json",
                             "--ask", "List all the findings in this report.", "--ask", "From which view was the image taken?"))
    assert [turn["question"] for turn in result["dialogue"]] == ["List all the findings in this report.", "From which view was the image taken?"]
    for turn in result["dialogue"]:
        assert "DEMONSTRATION MODEL - NOT FOR CLINICAL USE" in turn["answer"]


def test_heat_maps_are_pictures_one_for_each_positive_finding_and_films_of_one_name_do_not_meet(tmp_path):
    from PIL import Image
    maps, twin = tmp_path / "new" / "maps", tmp_path / "chest-pa.dcm"
    shutil.copy(FILMS / "chest-pa.dcm", twin)
    first, second = json.loads(run("radialogctl", "draft", FILMS / "chest-pa.dcm", twin, "--bundle", BUNDLE, "--json", "--heatmaps", maps))
    positive = [f["label"] for f in first["draft"]["findings"] if f["positive"] and f["label"] != "No Finding"]
    assert positive, "the film was chosen for its findings"
    kebab = [label.lower().replace(" ", "-") for label in positive]
    assert first["heatmaps"] == [f"{maps}/chest-pa-{label}.png" for label in kebab]
    assert second["heatmaps"] == [f"{maps}/chest-pa-2-{label}.png" for label in kebab]
    assert sorted(str(path) for path in maps.iterdir()) == sorted(first["heatmaps"] + second["heatmaps"]), "nothing else is left there"
    for path, same in zip(first["heatmaps"], second["heatmaps"]):
        with Image.open(path) as picture, Image.open(same) as other:
            picture.load()
            assert picture.format == "PNG" and picture.mode == "RGB" and max(picture.size) <= 1200
            assert picture.tobytes() == other.tobytes()
            red, green, _ = picture.crop((0, 0, picture.width, picture.height * 3 // 4)).split()
            assert red.tobytes() != green.tobytes(), "colours lie on the film"


def test_a_draft_is_the_same_with_heat_maps_and_without_and_a_folder_that_cannot_be_is_named(tmp_path):
    film = FILMS / "chest-pa.dcm"
    with_maps, = json.loads(run("radialogctl", "draft", film, "--bundle", BUNDLE, "--json", "--heatmaps", tmp_path))
    without, = json.loads(run("radialogctl", "draft", film, "--bundle", BUNDLE, "--json"))
    assert "heatmaps" not in without
    del with_maps["heatmaps"]
    for result in (with_maps, without):
        del result["draft"]["provenance"]["timings"]
    assert with_maps == without
    assert "heat map: " in run("radialogctl", "draft", film, "--bundle", BUNDLE, "--heatmaps", tmp_path)
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert str(blocked) in run("radialogctl", "draft", film, "--bundle", BUNDLE, "--heatmaps", blocked, expect=CANNOT_CREATE)
    assert blocked.read_text() == ""


def test_files_that_are_no_film_are_named_with_the_reason(tmp_path):
    page = tmp_path / "page.dcm"
    page.write_text("<!DOCTYPE html><html></html>")
    assert str(page) in run("radialogctl", "draft", page, "--bundle", BUNDLE, expect=DATA)
    assert "no such file" in run("radialogctl", "draft", tmp_path / "absent.dcm", "--bundle", BUNDLE, expect=DATA)


def test_a_flipped_bit_in_a_bundle_is_refused_by_both_programs(tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(BUNDLE, bundle)
    assert "complete and sound" in run("radialogctl", "model", "verify", bundle)
    for name in ("manifest.json", "language_model.safetensors", "tokenizer.model"):
        content = (bundle / name).read_bytes()
        damaged = bytearray(content)
        damaged[len(damaged) // 2] ^= 0x04
        (bundle / name).write_bytes(damaged)
        assert name in run("radialogctl", "model", "verify", bundle, expect=CONFIGURATION)
        conf = tmp_path / "radialogd.conf"
        conf.write_text(f'state_dir = "{tmp_path}/state"\n[dicom]\nport = 0\n[model]\nbundle = "{bundle}"\nallow_demonstration = true\n')
        assert name in run("radialogd", "--config", conf, expect=CONFIGURATION)
        (bundle / name).write_bytes(content)


def test_a_demonstration_bundle_needs_to_be_allowed(tmp_path):
    conf = tmp_path / "radialogd.conf"
    conf.write_text(f'state_dir = "{tmp_path}/state"\n[dicom]\nport = 0\n[model]\nbundle = "{BUNDLE}"\n')
    assert "allow_demonstration" in run("radialogd", "--config", conf, expect=CONFIGURATION)


def test_configuration_mistakes_name_file_line_and_key(tmp_path):
    conf = tmp_path / "radialogd.conf"
    conf.write_text('state_dir = "/tmp/x"\n[dicom]\nprot = 104\n')
    message = run("radialogctl", "config", "check", "--config", conf, expect=CONFIGURATION)
    assert f"{conf}:3" in message and "dicom.prot" in message and "port" in message
    conf.write_text('[dicom]\nbind = "0.0.0.0"\n')
    assert "peer" in run("radialogd", "--config", conf, expect=CONFIGURATION), "without peers only loopback"
    conf.write_text("")
    assert "11199" in run("radialogctl", "config", "check", "--config", conf, "--set", "dicom.port=11199")
    assert "--set" in run("radialogctl", "config", "check", "--config", conf, "--set", "dicom.port=many", expect=CONFIGURATION)


def test_the_shipped_configuration_is_valid():
    from conftest import ROOT
    run("radialogctl", "config", "check", "--config", ROOT / "etc/radialogd.conf")


def test_a_second_daemon_on_the_same_state_folder_is_refused(drafted):
    daemon, _ = drafted
    assert "another radialogd" in run("radialogd", "--config", daemon.config, expect=CONFIGURATION)


def test_only_a_radiologist_with_the_right_password_signs_and_only_once(drafted):
    daemon, study = drafted
    daemon.add_user("robot", role="service")
    daemon.add_user("boss", role="admin")
    daemon.sign(study, user="robot", expect=DENIED)
    daemon.sign(study, user="boss", expect=DENIED)
    daemon.sign(study, user="nobody", expect=DENIED)
    daemon.ctl("sign", study, "--user", "reader", "--password-stdin", stdin="wrong password\n", expect=DENIED)
    assert daemon.json("study", "show", study)["report"]["status"] == "preliminary"
    daemon.ctl("export", study, "--format", "oru", "--version", "final", "--output", "-", expect=NOT_FOUND)
    daemon.sign(study)
    shown = daemon.json("study", "show", study)
    assert shown["state"] == "signed" and shown["report"]["status"] == "final" and shown["report"]["signed_by"] == "reader"
    daemon.sign(study, expect=CONFLICT)
    daemon.ctl("reject", study, "--user", "reader", "--reason", "late", "--password-stdin", stdin=PASSWORD + "\n", expect=CONFLICT)


def test_a_version_that_is_no_longer_there_cannot_be_signed(drafted):
    daemon, study = drafted
    daemon.ctl("sign", study, "--user", "reader", "--expect-version", "7", "--password-stdin", stdin=PASSWORD + "\n", expect=CONFLICT)


def test_a_rejected_draft_stays_rejected(drafted):
    daemon, study = drafted
    daemon.ctl("reject", study, "--user", "reader", "--reason", "wrong side", "--password-stdin", stdin=PASSWORD + "\n")
    assert daemon.json("study", "show", study)["state"] == "rejected"
    daemon.sign(study, expect=CONFLICT)


def test_every_format_of_a_draft_carries_the_marks(drafted, tmp_path):
    daemon, study = drafted
    for format in ("text", "json", "oru", "sr"):
        target = tmp_path / f"draft.{format}"
        daemon.ctl("export", study, "--format", format, "--version", "draft", "--output", str(target))
        content = target.read_bytes()
        assert b"DEMONSTRATION MODEL - NOT FOR CLINICAL USE" in content, format
        assert b"UNREVIEWED MACHINE DRAFT" in content, format


def test_unknown_things_are_not_found(drafted):
    daemon, _ = drafted
    daemon.ctl("study", "show", "1.2.3.4", expect=NOT_FOUND)
    daemon.ctl("delivery", "retry", "999", expect=NOT_FOUND)
    daemon.ctl("no-such-command", expect=USAGE)


def test_a_changed_audit_row_is_found(drafted):
    daemon, study = drafted
    daemon.ctl("audit", "verify")
    daemon.stop()
    with sqlite3.connect(daemon.state / "radialog.db") as database:
        for name, in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'").fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        assert database.execute("UPDATE audit SET actor = 'somebody' WHERE sequence = 2").rowcount == 1
    assert "row 2" in daemon.ctl("audit", "verify", expect=1)
    # The daemon does not start on a broken trail either.
    assert "audit trail is broken" in run("radialogd", "--config", daemon.config, expect=CONFIGURATION)


def test_no_patient_data_reaches_the_log(drafted):
    import pydicom
    daemon, study = drafted
    daemon.sign(study)
    log = daemon.log.read_text()
    film = pydicom.dcmread(FILMS / "chest-pa.dcm", stop_before_pixels=True)
    assert study in log
    for secret in (str(film.PatientName), film.PatientID, film.PatientBirthDate, film.AccessionNumber, "heart", "lung"):
        assert secret not in log, secret
