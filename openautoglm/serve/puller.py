"""Pulling in a process of its own: what a delta costs in processor time and in Python's lock is not felt by requests.

    python -m openautoglm.serve.puller STORE DIR [KEY.pub ...]      # one JSON request a line in, one answer a line out

The child lives as long as its parent's end of the pipe, also when the parent is killed: it then ends what it is at,
which harms nobody, since pulls into a folder take turns and it never switches anything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openautoglm import errors
from openautoglm.errors import AutoGLMError, ReleaseError
from openautoglm.release.node import pull
from openautoglm.release.signature import Trust

NICE = 2  # steps that the child stands back behind the parent


@dataclass(frozen=True)
class Fetched:
    """A version that is whole in the node's folder, not in service yet; ``seconds`` by step, ``fetched`` in bytes."""

    release: str
    path: Path
    route: str
    fetched: int
    seconds: dict[str, float] = field(default_factory=dict)


class Puller:
    """Pulls in this process."""

    def __init__(self, store: str, to: Path, trust: Sequence[Path] = ()) -> None:
        self.store, self.to, self.keys = store, to, tuple(trust)
        self.trust = Trust.load(self.keys)

    def pull(self, ref: str) -> Fetched:
        """Bring a release to this node's folder. Raises as :func:`openautoglm.release.pull`."""
        done = pull(self.store, self.to, ref, switch=False, trust=self.trust)
        return Fetched(done.release.id, done.path, done.route, done.fetched, done.seconds)

    def close(self) -> None:
        pass


class ChildPuller(Puller):
    """Pulls in a child process, started with the first pull or by :meth:`start`, and again should it die."""

    _child: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Have it ready: it takes a while to import what it needs."""
        if self._child and self._child.poll() is None:
            return
        command = [sys.executable, "-m", __name__, self.store, str(self.to), *map(str, self.keys)]
        # its own session: a Ctrl-C at the terminal is the parent's to handle
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )

    def pull(self, ref: str) -> Fetched:
        self.start()
        child = self._child
        assert child
        assert child.stdin
        assert child.stdout
        try:
            child.stdin.write(json.dumps({"ref": ref}) + "\n")
            child.stdin.flush()
            line = child.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise ReleaseError(
                f"the pulling process ended with exit code {child.wait()}; it is started again"
            )
        answer = json.loads(line)
        if error := answer.get("error"):
            raise getattr(errors, error["kind"])(error["message"])
        return Fetched(**{**answer["fetched"], "path": Path(answer["fetched"]["path"])})

    def close(self) -> None:
        if self._child and self._child.stdin:
            self._child.stdin.close()
            self._child.terminate()
            self._child.wait()


def serve_parent(store: str, to: Path, keys: Sequence[Path]) -> None:
    """The child's life."""
    os.nice(NICE)
    puller = Puller(store, to, keys)
    for line in sys.stdin:
        answer: dict[str, Any]
        try:
            fetched = puller.pull(json.loads(line)["ref"])
            answer = {"fetched": {**fetched.__dict__, "path": str(fetched.path)}}
        except AutoGLMError as error:
            answer = {"error": {"kind": type(error).__name__, "message": error.message}}
        except Exception as error:  # a full disk, a lost network: the parent says so and goes on serving
            answer = {"error": {"kind": "ReleaseError", "message": f"{type(error).__name__}: {error}"}}
        try:
            print(json.dumps(answer), flush=True)
        except BrokenPipeError:  # the parent was killed; what it left is found by its next start
            os._exit(0)


if __name__ == "__main__":
    serve_parent(sys.argv[1], Path(sys.argv[2]), [Path(key) for key in sys.argv[3:]])
