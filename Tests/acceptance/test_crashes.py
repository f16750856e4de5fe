"""kill -9 at random moments: nothing that was acknowledged is lost, and no study is stuck.

RADIALOG_KILLS (default 6) is the number of kills; the release check runs 20.
"""
import os
import random
import threading
import time

import pydicom
from pydicom.uid import generate_uid
from pynetdicom import AE

from conftest import FILMS, acknowledgement, wait_until

KILLS = int(os.environ.get("RADIALOG_KILLS", "6"))


def test_sigkill_loses_nothing_acknowledged_and_leaves_no_study_stuck(make_daemon, mllp_server):
    seed = int(os.environ.get("RADIALOG_SEED", time.time()))
    print("seed", seed)
    choice = random.Random(seed)
    server = mllp_server(lambda m, n: acknowledgement(m))
    daemon = make_daemon(
        f'[[destination]]\nname = "ris"\nkind = "hl7"\nhost = "127.0.0.1"\nport = {server.port}\nreceives = ["drafts"]\n'
        f'retry_first_pause = "100ms"\n')
    # A study over which the worker died three times counts as the cause, and becomes "model-failed". Here nobody but us is.
    patient = ("--set", f"study.max_attempts={KILLS + 1}")
    daemon.start(*patient)
    template = pydicom.dcmread(FILMS / "chest-pa.dcm")
    acknowledged, stop = {}, threading.Event()

    def send():
        while not stop.is_set():
            ae = AE()
            ae.add_requested_context(template.SOPClassUID, template.file_meta.TransferSyntaxUID)
            ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = 5
            association = ae.associate("127.0.0.1", daemon.port, ae_title="RADIALOGD")
            while association.is_established and not stop.is_set():
                template.StudyInstanceUID, template.SeriesInstanceUID = generate_uid(), generate_uid()
                template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = generate_uid()
                sent = (template.StudyInstanceUID, template.SOPInstanceUID)
                response = association.send_c_store(template)
                if "Status" in response and response.Status == 0x0000:
                    acknowledged[sent[1]] = sent[0]
                time.sleep(choice.uniform(0, 0.3))
            if association.is_established:
                association.release()
            time.sleep(0.1)

    sender = threading.Thread(target=send)
    sender.start()
    for _ in range(KILLS):
        time.sleep(choice.uniform(0.2, 4))
        daemon.kill()
        daemon.start(*patient)
    time.sleep(2)
    stop.set()
    sender.join()

    assert acknowledged, "nothing was acknowledged: the test proves nothing"
    studies = daemon.studies()
    missing = set(acknowledged.values()) - set(studies)
    assert missing == set(), f"{len(missing)} acknowledged studies are gone"
    wait_until(lambda: all(s["state"] == "drafted" for s in daemon.studies().values()), timeout=300, what="every study's draft")
    wait_until(lambda: all(d["state"] == "delivered" for d in daemon.json("delivery", "list")), timeout=120, what="every delivery")
    stored = {pydicom.dcmread(f, specific_tags=["SOPInstanceUID"]).SOPInstanceUID for f in (daemon.state / "objects").rglob("*.dcm")}
    assert set(acknowledged) <= stored
    # A message may have been sent twice when its acknowledgement was cut off, but always as the same message.
    by_id = {}
    for message in server.messages:
        by_id.setdefault(message.split(b"|")[9], set()).add(message)
    assert all(len(versions) == 1 for versions in by_id.values())
    daemon.ctl("audit", "verify")
    daemon.stop()
