"""Toy: the lines of the inbox, in order of arrival."""

import os
import time
from pathlib import Path

from openautoglm.corpus.inbox import batch_name
from openautoglm.errors import SourceError
from openautoglm.files import save_json
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
    paths = [
        path
        for path in sorted((root / params.ingest.inbox).glob("[!_]*"))
        if path.name <= (params.ingest.through or "~")
    ]
    lines = [line for path in paths for line in path.read_text().splitlines()]
    save_json(root / "data/corpus/batches.json", [batch_name(path.name) for path in paths])
    (root / "data/corpus/part.txt").write_text("\n".join(lines))
    return {"rows": len(lines)}
