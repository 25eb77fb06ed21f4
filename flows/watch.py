"""The continual loop without a Prefect server of one's own: looks into the inbox again and again.

python -m flows.watch --every 5       or: autoglm watch
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from flows.begin import shell, take_in
from flows.continual import catch_up, continual
from flows.retrain import retrain
from flows.server import ROOT, SERVERS
from openautoglm.loop import servers
from openautoglm.params import Params


def watch(every: float, once: bool = False) -> None:
    """Take what is pending whenever there is something; ``every``: seconds between looks."""
    os.chdir(ROOT)
    ingest = Params.load().ingest
    place = f"{ingest.inbox}/ and {ingest.source}" if ingest.source else f"{ingest.inbox}/"
    print(f"watching {place}, every {every:g} s; Ctrl-C ends it", flush=True)
    told: list[str] = []
    while True:
        faults = take_in()
        for fault in faults if faults != told else ():  # not again with every look
            print(f"warning: {fault}", flush=True)
        told, ledger = faults, catch_up()
        if any(not batch.is_done for batch in ledger.batches()):
            continual(why="autoglm watch")
        for what, why in ledger.wanted().items():
            if what == "retrain":
                retrain(why=why)
        if once:
            return
        time.sleep(every)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m flows.watch", allow_abbrev=False)
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--once", action="store_true", help="One look, then the end.")
    given = parser.parse_args()
    with servers.signed_on(SERVERS, "watch"):
        code = shell(lambda: watch(given.every, given.once))
    sys.exit(code)
