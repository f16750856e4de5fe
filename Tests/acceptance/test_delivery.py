"""HL7 receivers as the field has them: they refuse, they are silent, they answer for another message."""
import pytest

from conftest import FILMS, acknowledgement, wait_until


def hl7(server, name="ris", receives='["drafts"]', more=""):
    return (f'[[destination]]\nname = "{name}"\nkind = "hl7"\nhost = "127.0.0.1"\nport = {server.port}\n'
            f'receives = {receives}\nack_timeout = "1s"\n{more}\n')


def drafted(make_daemon, configuration):
    daemon = make_daemon(configuration).start()
    assert daemon.storescu(FILMS / "chest-pa.dcm")[0] == 0
    daemon.settled(1)
    return daemon


def test_a_receiver_that_refuses_the_content_ends_as_a_dead_letter_with_its_text(make_daemon, mllp_server):
    server = mllp_server(lambda m, n: acknowledgement(m, "AE", text="PV1 is required here"))
    daemon = drafted(make_daemon, hl7(server, more='retry_first_pause = "100ms"\ncontent_attempts = 2'))
    dead = wait_until(lambda: [d for d in daemon.json("delivery", "list") if d["state"] == "dead"], what="a dead letter")
    assert len(server.messages) == 2 and server.messages[0] == server.messages[1], "a retry sends the same bytes"
    assert "PV1 is required here" in dead[0]["last_error"]
    # A person fixes the receiver and asks again.
    server.answer = lambda m, n: acknowledgement(m)
    daemon.ctl("delivery", "retry", str(dead[0]["id"]))
    wait_until(lambda: all(d["state"] == "delivered" for d in daemon.json("delivery", "list")), what="the delivery")
    assert server.messages[2] == server.messages[0]
    daemon.stop()


@pytest.mark.parametrize("trouble", [
    lambda m, n: acknowledgement(m, "AR") if n <= 2 else acknowledgement(m),
    lambda m, n: None if n <= 2 else acknowledgement(m),
    lambda m, n: acknowledgement(m, control_id="SOMEBODY-ELSES") if n <= 2 else acknowledgement(m),
    lambda m, n: ("raw", b"\x00garbage\x1c\r") if n <= 2 else acknowledgement(m),
], ids=["AR", "silence", "wrong MSA-2", "garbage"])
def test_trouble_that_may_pass_is_retried_with_the_same_message(make_daemon, mllp_server, trouble):
    server = mllp_server(trouble)
    daemon = drafted(make_daemon, hl7(server, more='retry_first_pause = "100ms"'))
    wait_until(lambda: all(d["state"] == "delivered" for d in daemon.json("delivery", "list")), what="the delivery")
    assert len(server.messages) == 3 and len(set(server.messages)) == 1
    daemon.stop()


def test_one_poisoned_message_does_not_stop_the_others(make_daemon, mllp_server):
    import pydicom
    poisoned = pydicom.dcmread(FILMS / "chest-pa.dcm", stop_before_pixels=True).StudyInstanceUID.encode()
    server = mllp_server(lambda m, n: None if poisoned in m else acknowledgement(m))
    daemon = make_daemon(hl7(server, more='retry_first_pause = "100ms"')).start()
    films = sorted(FILMS.glob("*.dcm"))
    daemon.dcmsend(*films)
    studies = daemon.settled(len({pydicom.dcmread(f, stop_before_pixels=True).StudyInstanceUID for f in films}))
    good = sum(s["state"] == "drafted" for s in studies.values()) - 1
    assert good >= 2
    wait_until(lambda: sum(d["state"] == "delivered" for d in daemon.json("delivery", "list")) == good, what="all but the poisoned one")
    daemon.stop()


def test_an_unreachable_receiver_does_not_stop_another(make_daemon, mllp_server):
    server = mllp_server()
    dead = mllp_server()
    dead.close()
    daemon = drafted(make_daemon, hl7(server) + hl7(dead, name="away"))
    wait_until(lambda: {d["destination"]: d["state"] for d in daemon.json("delivery", "list")}["ris"] == "delivered", what="the reachable one")
    assert {d["destination"]: d["state"] for d in daemon.json("delivery", "list")}["away"] in ("pending", "sending")
    daemon.stop()
