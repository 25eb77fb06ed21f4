"""From the pretrained backbone on everything, to challenge the release in service.

python -m flows.retrain         or: autoglm retrain, or the deployment `retrain`, every night and when somebody asked for it
"""

from __future__ import annotations

import argparse
import sys

from prefect import flow
from prefect.states import Completed, State

from flows.begin import begin
from flows.continual import catch_up
from flows.pipeline import read_on, stages
from openautoglm.errors import NotPublished
from tasks.lineage import pin_retrain


@flow(name="retrain", log_prints=True, persist_result=False)
def retrain(why: str = "by hand", dry_run: bool = False) -> str | State[str] | None:
    """Train anew on every batch that was taken so far; the champion stays unless the challenger is good enough.

    Args:
        why: what started this run; shown in the UI, changes nothing.
        dry_run: do everything but publish; the verdict is logged.
    """
    with begin() as lease:
        ledger = catch_up()
        taken = [batch.entry for batch in ledger.batches() if batch.state in ("published", "refused")]
        champion = pin_retrain(taken[-1] if taken else None)
        try:
            _, delivered = stages(lease.token, dry_run=dry_run)
        except NotPublished as error:
            message = f"champion stays: {champion}; {error}"
            print(message)
            ledger.did("retrain")
            return Completed(name="ChampionStays", message=message, data=str(champion))
        if not dry_run:
            ledger.did("retrain")
        read_on(delivered)
        return delivered.release


if __name__ == "__main__":
    from flows.begin import shell

    parser = argparse.ArgumentParser(prog="python -m flows.retrain", allow_abbrev=False)
    parser.add_argument("--why", default="by hand")
    parser.add_argument("--dry-run", action="store_true")
    given = vars(parser.parse_args())
    sys.exit(shell(lambda: retrain(**given)))
