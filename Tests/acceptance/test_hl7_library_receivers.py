"""Receivers built from HL7 libraries that are not ours: python-hl7's and hl7apy's MLLP servers."""
import asyncio
import threading

import hl7.mllp
from hl7apy.mllp import AbstractErrorHandler, AbstractHandler, MLLPServer
from hl7apy.parser import parse_message

from conftest import FILMS, wait_until


def drafted_to(make_daemon, port):
    daemon = make_daemon(f'[[destination]]\nname = "ris"\nkind = "hl7"\nhost = "127.0.0.1"\nport = {port}\nreceives = ["drafts", "signed"]\n'
                         'ack_timeout = "5s"\nretry_first_pause = "100ms"\ncontent_attempts = 3\n').start()
    assert daemon.storescu(FILMS / "chest-pa.dcm")[0] == 0
    (study, _), = daemon.settled(1).items()
    return daemon, study


def test_python_hl7_refuses_is_busy_and_accepts(make_daemon):
    """AR, AE, then AA: its own create_ack each time."""
    codes, received, started = ["AR", "AE", "AA"], [], threading.Event()
    loop = asyncio.new_event_loop()
    port = []

    async def serve(reader, writer):
        try:
            while True:
                message = await reader.readmessage()
                received.append(str(message))
                writer.writemessage(message.create_ack(codes[min(len(received), len(codes)) - 1]))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main():
        server = await hl7.mllp.start_hl7_server(serve, host="127.0.0.1", port=0, encoding="utf-8")
        port.append(server.sockets[0].getsockname()[1])
        started.set()
        await server.serve_forever()

    def run():
        try:
            loop.run_until_complete(main())
        except (asyncio.CancelledError, RuntimeError):
            pass  # stopped below

    threading.Thread(target=run, daemon=True).start()
    assert started.wait(10)
    daemon, _ = drafted_to(make_daemon, port[0])
    wait_until(lambda: [d["state"] for d in daemon.json("delivery", "list")] == ["delivered"], what="the delivery")
    assert len(received) == 3 and len(set(received)) == 1
    daemon.stop()
    loop.call_soon_threadsafe(loop.stop)


def test_hl7apy_validates_and_accepts_draft_and_final(make_daemon):
    received = []

    class Report(AbstractHandler):
        def reply(self):
            message = parse_message(self.incoming_message)
            message.validate()
            received.append(self.incoming_message)
            return (f"\x0bMSH|^~\\&|RIS||RADIALOGD||20260101000000||ACK^R01^ACK|1|P|2.5.1\r"
                    f"MSA|AA|{message.msh.msh_10.value}\r\x1c\r")

    class Broken(AbstractErrorHandler):
        def reply(self):
            received.append(self.exc)
            raise self.exc

    server = MLLPServer("127.0.0.1", 0, {"ORU^R01^ORU_R01": (Report,), "ERR": (Broken,)})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    daemon, study = drafted_to(make_daemon, server.server_address[1])
    daemon.add_user()
    daemon.sign(study)
    wait_until(lambda: sorted(d["state"] for d in daemon.json("delivery", "list")) == ["delivered", "delivered"], what="both deliveries")
    statuses = [next(s for s in text.split("\r") if s.startswith("OBR")).split("|")[25] for text in received]
    assert statuses == ["R", "F"]
    daemon.stop()
    server.shutdown()
