"""How a tensor is cut into blocks, and how blocks are worked on: in parallel, in order, a few at a time."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from openautoglm.files import fsync_dir
from openautoglm.processors import processors
from openautoglm.release import codec
from openautoglm.release.weights import TensorEntry

FRAME = 5  # bytes before each block: its codec (1), the length of its payload (4, little endian)
MIN_ROW = 8  # integers; marking changed rows of fewer costs more than it saves

Result = TypeVar("Result")


def blocks(entry: TensorEntry, shared: int) -> Iterator[tuple[int, int, codec.Form]]:
    """The blocks of a tensor, (start, stop) in bytes: first those of its ``shared`` bytes with a base, then the others."""
    row = entry.row if entry.row <= codec.BLOCK else 0
    step = codec.BLOCK // row * row if row else codec.BLOCK
    for begin, end in ((0, shared), (shared, entry.size)):
        for start in range(begin, end, step):
            stop = min(start + step, end)
            whole = row >= MIN_ROW * entry.width and start % row == 0 and (stop - start) % row == 0
            yield start, stop, codec.Form(entry.width, entry.mantissa, row // entry.width if whole else 0)


def in_order(jobs: Iterator[Callable[[], Result]], threads: int | None) -> Iterator[Result]:
    """Run the jobs on threads and give their results in order, at most two jobs a thread under way."""
    count = threads or min(processors(), 8)
    if count == 1:
        for job in jobs:
            yield job()
        return
    with ThreadPoolExecutor(count) as pool:
        pending: deque[Future[Result]] = deque()
        for job in jobs:
            pending.append(pool.submit(job))
            if len(pending) > 2 * count:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


@contextmanager
def written(out: Path) -> Iterator[IO[bytes]]:
    """A file that is at ``out``, whole and on disk, when the block ends, or nowhere."""
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, out)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    fsync_dir(out.parent)
