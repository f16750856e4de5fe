"""The programs as their users run them: real processes, real sockets, independent peers.

Every test gets daemons and peers on loopback with ports the system chose, and a state folder of its own.
"""
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("RADIALOG_BINARIES", ROOT / ".build/release"))
BUNDLE = pathlib.Path(os.environ.get("RADIALOG_BUNDLE", ROOT / "models/radialog-demo"))
FILMS = ROOT / "fixtures/films"
CORPUS = pathlib.Path(os.environ.get("RADIALOG_CORPUS", ROOT.parent / "shared/corpus"))
PASSWORD = "correct horse battery"


def wait_until(condition, timeout=60.0, what="the condition"):
    """Polls, because the other side is another process; a failure names what did not come."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"waited {timeout} s in vain for {what}")


class Daemon:
    """One state folder with its configuration; the daemon on it can be started, killed and started again."""

    def __init__(self, folder: pathlib.Path, configuration: str = "", quiet_period: str = "1s"):
        self.folder = folder
        self.state = folder / "state"
        self.log = folder / "daemon.log"
        self.config = folder / "radialogd.conf"
        self.port = None
        self.process = None
        folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(
            f'state_dir = "{self.state}"\n[log]\nformat = "json"\n[dicom]\nport = 0\n'
            f'[study]\nquiet_period = "{quiet_period}"\n'
            f'[model]\nbundle = "{BUNDLE}"\nallow_demonstration = true\n' + configuration
        )

    def start(self, *arguments):
        offset = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [BINARIES / "radialogd", "--config", self.config, *arguments], stderr=log, stdin=subprocess.DEVNULL
            )

        def listening():
            assert self.process.poll() is None, self.log.read_text()[offset:]
            for line in self.log.read_text()[offset:].splitlines():
                event = json.loads(line)
                if event["message"] == "receiving":
                    return int(event["dicom.port"])
            return None

        self.port = wait_until(listening, what="the daemon to listen")
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(timeout=60) == 0, self.log.read_text()

    def ctl(self, *arguments, stdin="", expect=0):
        """Runs radialogctl on this state folder; returns what it printed."""
        result = subprocess.run(
            [BINARIES / "radialogctl", *arguments, "--config", self.config],
            input=stdin, capture_output=True, text=True, timeout=120,
        )
        assert result.returncode == expect, f"{arguments}: exit {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result.stdout if expect == 0 else result.stderr

    def json(self, *arguments):
        return json.loads(self.ctl(*arguments, "--json"))

    def studies(self):
        return {study["study_instance_uid"]: study for study in self.json("study", "list")}

    def settled(self, count, timeout=120):
        """Waits until `count` studies are there and each is drafted or has its reason."""

        def all_settled():
            studies = self.studies()
            return len(studies) == count and all(s["state"] in ("drafted", "no-draft") for s in studies.values()) and studies

        return wait_until(all_settled, timeout, f"{count} settled studies")

    def add_user(self, name="reader", role="radiologist"):
        self.ctl("user", "add", name, "--role", role, "--name", "Reader^Anna", "--organization", "Test Hospital",
                 "--password-stdin", stdin=PASSWORD + "\n")

    def sign(self, study, user="reader", text=None, expect=0):
        arguments = ["sign", study, "--user", user, "--password-stdin"]
        if text is not None:
            file = self.folder / "signed.txt"
            file.write_text(text)
            arguments += ["--text-file", str(file)]
        return self.ctl(*arguments, stdin=PASSWORD + "\n", expect=expect)

    def dcmsend(self, *files):
        """DCMTK's other sender, which negotiates whatever the files need; all must be stored."""
        result = subprocess.run(["dcmsend", "-v", "-aec", "RADIALOGD", "127.0.0.1", str(self.port), *map(str, files)],
                                capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, result.stdout + result.stderr
        stored = [line for line in (result.stdout + result.stderr).splitlines() if "with status SUCCESS" in line]
        assert stored, result.stdout + result.stderr

    def storescu(self, *files, called="RADIALOGD", calling="STORESCU", options=()):
        """DCMTK's sender. Returns its exit status and what it printed."""
        result = subprocess.run(
            ["storescu", "-v", *options, "-aet", calling, "-aec", called, "127.0.0.1", str(self.port), *map(str, files)],
            capture_output=True, text=True, timeout=120,
        )
        return result.returncode, result.stdout + result.stderr


@pytest.fixture
def make_daemon(tmp_path):
    daemons = []

    def make(configuration="", **options):
        daemon = Daemon(tmp_path / f"daemon{len(daemons)}", configuration, **options)
        daemons.append(daemon)
        return daemon

    yield make
    for daemon in daemons:
        if daemon.process and daemon.process.poll() is None:
            daemon.kill()


class MLLPServer:
    """An HL7 receiver that does what `answer` says.

    `answer(message: bytes, number: int)` returns the bytes of the acknowledgement's HL7 text, None for silence, or a
    tuple ("raw", bytes) to be sent unframed.
    """

    def __init__(self, answer):
        self.answer = answer
        self.messages = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        buffer = b""
        with contextlib.suppress(OSError), connection:
            while chunk := connection.recv(65536):
                buffer += chunk
                while b"\x1c\r" in buffer:
                    frame, buffer = buffer.split(b"\x1c\r", 1)
                    assert frame.startswith(b"\x0b")
                    with self.lock:
                        self.messages.append(frame[1:])
                        number = len(self.messages)
                    reply = self.answer(frame[1:], number)
                    if isinstance(reply, tuple):
                        connection.sendall(reply[1])
                    elif reply is not None:
                        connection.sendall(b"\x0b" + reply + b"\x1c\r")

    def close(self):
        # A thread that sits in accept() would keep a merely closed socket listening.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def acknowledgement(message: bytes, code="AA", control_id=None, text="") -> bytes:
    """An ACK as a receiver would write it."""
    fields = message.split(b"\r")[0].split(b"|")
    identifier = control_id if control_id is not None else fields[9].decode()
    return f"MSH|^~\\&|RIS|HOSPITAL|RADIALOGD||20260101000000||ACK^R01^ACK|A1|P|2.5.1\rMSA|{code}|{identifier}|{text}\r".encode()


@pytest.fixture
def mllp_server():
    servers = []

    def make(answer=lambda message, number: acknowledgement(message)):
        server = MLLPServer(answer)
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def storescp(tmp_path):
    """DCMTK's receiver, as the archive that takes SR. Gives (port, folder)."""
    folder = tmp_path / "archive"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(["storescp", "-aet", "ARCHIVE", "-od", folder, str(port)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def accepts():
        return subprocess.run(["echoscu", "-aec", "ARCHIVE", "127.0.0.1", str(port)], capture_output=True).returncode == 0

    wait_until(accepts, what="storescp")
    yield port, folder
    process.kill()
    process.wait()


def corpus(*parts):
    """A path in the corpus, or a skip that says so."""
    path = CORPUS.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"the corpus is not here: {path}")
    return path
