"""radialogctl chat as a person at a terminal and as a script use it."""
import json
import os
import pty
import select
import subprocess
import time

import pytest

from conftest import BINARIES, BUNDLE, FILMS

DEMONSTRATION = "[DEMONSTRATION MODEL - NOT FOR CLINICAL USE] "
CHAT = [BINARIES / "radialogctl", "chat"]


def chat(*arguments, expect=0, text=None):
    result = subprocess.run([*CHAT, *arguments], capture_output=True, text=True, input=text, timeout=120)
    assert result.returncode == expect, result.stderr
    return result


def test_a_script_gets_the_answers_alone(tmp_path):
    film = FILMS / "chest-pa.dcm"
    result = chat(film, "--bundle", BUNDLE, "--task", "correct", "--add", "pneumothorax", "--ask", "List all the findings in this report.")
    report, findings = result.stdout.splitlines()
    assert report.startswith(DEMONSTRATION) and "There is a pneumothorax" in report
    assert findings.startswith(DEMONSTRATION)
    # What it was about stands on standard error, marked too.
    assert "The patient also has pneumothorax, correct the report." in result.stderr and DEMONSTRATION in result.stderr

    one, = json.loads(chat(film, "--bundle", BUNDLE, "--task", "view", "--json").stdout)
    turn, = one["dialogue"]
    assert turn["question"] == "From which view was the image taken?" and turn["finish_reason"] == "stop" and turn["forgotten_turns"] == 0
    assert one["draft"]["provenance"]["bundle_sha256"] and one["film"] == str(film)


def test_a_terminal_talks_about_several_films_and_remembers_each():
    said = "/view\n/film 2\n/view\n/film 1\n/report\n/region moon\n/unheard-of\n/film 3\n"
    result = chat(FILMS / "chest-pa.dcm", FILMS / "chest-ap-edema-j2k.dcm", "--bundle", BUNDLE, text=said)
    answers = [line.removeprefix(DEMONSTRATION) for line in result.stdout.splitlines() if line.startswith(DEMONSTRATION)]
    assert [a for a in answers if "view" in a] == ["The image was taken in PA view.", "The image was taken in AP view."]
    # The first report: when it was drafted, when the film was chosen again, and when it was asked for.
    assert answers.count(answers[0]) == 3
    for complaint in ["/region needs a region", "/unheard-of is not known", "there are films 1 to 2"]:
        assert complaint in result.stderr
    assert "UNREVIEWED MACHINE DRAFT - NOT A DIAGNOSIS" in result.stderr


@pytest.mark.parametrize("arguments,status,says", [
    (["--task", "correct"], 64, "needs a finding to add or to remove"),
    (["--task", "reasoning"], 64, "needs a finding"),
    (["--add", "edema"], 64, "go with --task"),
    (["--json"], 64, "--json goes with --task or --ask"),
    (["--ask", "x " * 1100], 65, "the question cannot be asked"),
])
def test_what_cannot_be_asked_is_refused(arguments, status, says):
    assert says in chat(FILMS / "chest-pa.dcm", "--bundle", BUNDLE, *arguments, expect=status).stderr


def test_a_film_that_has_no_draft_has_no_dialogue(tmp_path):
    note = tmp_path / "note.dcm"
    note.write_text("no film")
    assert "note.dcm" in chat(note, "--bundle", BUNDLE, "--task", "view", expect=65).stderr


def test_a_study_of_the_queue_is_spoken_of_by_its_stored_film(make_daemon):
    daemon = make_daemon("").start()
    assert daemon.storescu(FILMS / "chest-pa.dcm")[0] == 0
    (study, summary), = daemon.settled(1).items()
    assert summary["state"] == "drafted"
    stored = daemon.json("study", "show", study)["draft"]["text"]
    result, = json.loads(chat(study, "--config", daemon.config, "--bundle", BUNDLE, "--task", "summarise", "--json").stdout)
    # The same film, bundle and build: the same report, bit for bit.
    assert result["draft"]["text"] == stored
    assert result["dialogue"][0]["answer"].startswith(DEMONSTRATION + "In summary")
    daemon.stop()


class Terminal:
    """A process behind a pseudo-terminal."""

    def __init__(self, *arguments):
        self.process, self.file = pty.fork()
        if self.process == 0:
            os.execv(arguments[0], [str(a) for a in arguments])
        self.output = ""

    def wait(self, text, timeout=60):
        """Until `text` stands behind what was waited for before."""
        end = time.monotonic() + timeout
        while text not in self.output:
            assert time.monotonic() < end, f"{text!r} is not in {self.output!r}"
            if select.select([self.file], [], [], 0.2)[0]:
                self.output += os.read(self.file, 4096).decode()
        self.output = self.output.split(text, 1)[1]

    def say(self, text):
        os.write(self.file, text.encode())

    def status(self):
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def test_control_c_stops_an_answer_and_then_the_program():
    terminal = Terminal(*CHAT, FILMS / "chest-pa.dcm", "--bundle", BUNDLE)
    terminal.wait("> ")
    # Typed ahead: the interrupt comes while the answer is written, or it is written already and the program ends at its prompt.
    for _ in range(20):
        terminal.say("/explain\n")
        terminal.wait("/explain")
        terminal.wait("In simple")
        terminal.say("\x03")
        try:
            terminal.wait("(stopped; the question is not part of the conversation)", timeout=3)
            break
        except (AssertionError, OSError):
            assert terminal.status() == 130
            terminal = Terminal(*CHAT, FILMS / "chest-pa.dcm", "--bundle", BUNDLE)
            terminal.wait("> ")
    else:
        pytest.fail("no answer was stopped in twenty tries")
    terminal.wait("> ")
    terminal.say("/view\n")
    terminal.wait("PA view")
    terminal.wait("> ")
    terminal.say("\x03")
    assert terminal.status() == 130
