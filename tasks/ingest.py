"""ingest: the batches in the inbox → one corpus, streamed.

python -m tasks ingest
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from openautoglm.params import Params


def ingest(params: Params, root: Path = Path(".")) -> Mapping[str, object]:
    """Read the entries of ``ingest.inbox``, up to ``ingest.through``, into ``data/corpus/part-*.parquet``, in order of arrival.

    Raises:
        SourceError: the inbox is empty, an entry cannot be read, or lacks the text or label column.
    """
    from openautoglm.corpus.document import PartWriter, TableHash
    from openautoglm.corpus.forgotten import records, taken_from, with_forgotten
    from openautoglm.corpus.inbox import entries
    from openautoglm.corpus.read import RAW_SCHEMA, read
    from openautoglm.files import fresh_dir

    inbox = root / params.ingest.inbox
    batches, forgotten = entries(inbox, params.ingest.through), records(inbox)
    taken = {entry.batch: taken_from(forgotten, Path(entry.source).name) for entry in batches}
    hashing = TableHash()
    splits = {"train": 0, "valid": 0, "test": 0}
    with (
        fresh_dir(root / "data" / "corpus") as fresh,
        PartWriter(fresh, with_forgotten(RAW_SCHEMA, taken)) as writer,
    ):
        for entry in batches:
            for rows in read(entry.source, entry.batch, params.ingest):
                writer.write(rows)
                hashing.update(rows)
                for count in rows.column("split").value_counts().to_pylist():
                    splits[count["values"]] += count["counts"]
    return {
        "rows": writer.rows,
        "batches": len(batches),
        "newest_batch": batches[-1].batch,
        **splits,
        "fingerprint": hashing.hexdigest(),
    }
