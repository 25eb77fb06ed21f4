"""Toy: the lines of the inbox, in order of arrival."""

import os
import time
from pathlib import Path

from openautoglm.errors import SourceError
from openautoglm.params import Params


def ingest(params: Params, root: Path = Path()) -> dict[str, object]:
    fault = root / "fault"
    if fault.is_file():
        kind = fault.read_text()
        if kind == "once":
            fault.unlink()
            raise ConnectionError("the network went away")
        while kind == "slow" and fault.is_file():
            time.sleep(0.05)
    if fault.is_file():
        raise SourceError("inbox/a.txt: not a table, found a poem; give JSONL, CSV or Parquet")
    with (root / "calls").open("a") as calls:
        calls.write(f"ingest {os.getpid()}\n")
    lines = [
        line
        for path in sorted((root / params.ingest.inbox).glob("[!_]*"))
        if path.name <= (params.ingest.through or "~")
        for line in path.read_text().splitlines()
    ]
    (root / "data/corpus").mkdir(parents=True, exist_ok=True)
    (root / "data/corpus/part.txt").write_text("\n".join(lines))
    return {"rows": len(lines)}
