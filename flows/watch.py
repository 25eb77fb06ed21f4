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
    places = " and ".join(place for place in (f"{ingest.inbox}/", ingest.remote, ingest.source) if place)
    print(f"watching {places}, every {every:g} s; Ctrl-C ends it", flush=True)
    told: list[str] = []
    while True:
        try:
            told = look(told)
        except Exception as error:
            if once:
                raise
            first = (str(error).splitlines() or [""])[0]  # Prefect has logged the traceback
            print(f"error: {type(error).__name__}: {first}; what is pending stays pending", flush=True)
        if once:
            return
        time.sleep(every)


def look(told: list[str]) -> list[str]:
    """One look: everything that is pending, then a retrain that somebody asked for; returns the source's faults."""
    faults = take_in()
    for fault in faults if faults != told else ():  # not again with every look
        print(f"warning: {fault}", flush=True)
    ledger = catch_up()
    if any(not batch.is_done for batch in ledger.batches()):
        continual(why="autoglm watch")
    for what, why in ledger.wanted().items():
        if what == "retrain":
            retrain(why=why)
    return faults


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m flows.watch", allow_abbrev=False)
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--once", action="store_true", help="One look, then the end.")
    given = parser.parse_args()
    with servers.signed_on(SERVERS, "watch"):
        code = shell(lambda: watch(given.every, given.once))
    sys.exit(code)
