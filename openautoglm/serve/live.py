"""The model in service: the next version is opened beside it, tried, and takes over between two requests.

    live = LiveModel()
    live.switch(live.prepare("v000002-...", Path("/srv/model/versions/v000002-...")))
    answered = live.predict(["my card has not arrived"])

A request keeps the version it began with. A version that was replaced is let go when its last request is answered.
"""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from openautoglm.errors import AutoGLMError, Corrupt, Unfit
from openautoglm.export.session import Prediction, Session, check_canary


@dataclass
class Opened:
    """A session with the release it belongs to; ``users`` requests are being answered by it."""

    release: str
    session: Session
    seconds: dict[str, float] = field(default_factory=dict)  # session, warm-up
    since: str | None = None
    users: int = 0


@dataclass(frozen=True)
class Answered:
    release: str
    predictions: list[Prediction]


class NotReady(AutoGLMError):
    """No version is in service yet."""


class LiveModel:
    """``threads``: of one answer. One is right for a server: requests are answered side by side."""

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self._lock = threading.Lock()  # held for a few instructions, never while something is opened or asked
        self._current: Opened | None = None
        self._leaving: list[Opened] = []

    def __repr__(self) -> str:
        return f"LiveModel({self.release}, {self.in_flight} in flight, {len(self.leaving)} leaving)"

    @property
    def release(self) -> str | None:
        opened = self._current
        return opened.release if opened else None

    @property
    def since(self) -> str | None:
        opened = self._current
        return opened.since if opened else None

    @property
    def labels(self) -> list[str]:
        opened = self._current
        return opened.session.labels if opened else []

    @property
    def in_flight(self) -> int:
        with self._lock:
            return sum(opened.users for opened in (self._current, *self._leaving) if opened)

    @property
    def leaving(self) -> list[str]:
        """Versions that were replaced and still answer a request."""
        with self._lock:
            return [opened.release for opened in self._leaving]

    def prepare(self, release: str, folder: Path) -> Opened:
        """Open a version beside the one in service and ask it the canary; nothing changes for anybody yet.

        The files are taken to be those that were published (a pull has compared them), so what fails is the fit.

        Raises:
            Corrupt: it answers the canary wrong.
            Unfit: this software cannot open it, or cannot ask it.
        """
        before, start = self._current, time.perf_counter()
        try:
            session = Session(folder, self.threads, like=before.session if before else None)
            opened = time.perf_counter()
            canary = check_canary(folder, session)
        except Exception as error:  # an architecture of later days fails wherever it first differs
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise Unfit(f"{release}: does not fit this node: {said:.200}") from error
        if not canary["passed"]:
            raise Corrupt(f"{release}: answers its canary wrong. {canary['reason']}")
        seconds = {"session": opened - start, "warm-up": time.perf_counter() - opened}
        return Opened(release, session, {step: round(took, 6) for step, took in seconds.items()})

    def switch(self, new: Opened) -> None:
        """From here on every new request is answered by ``new``."""
        new.since = now()
        with self._lock:
            before, self._current = self._current, new
            if before and before.users:
                self._leaving.append(before)

    @contextmanager
    def using(self) -> Iterator[Opened]:
        """The version in service, held until the block ends.

        Raises:
            NotReady: there is none.
        """
        with self._lock:
            opened = self._current
            if opened is None:
                raise NotReady(
                    "no release is in service yet; publish one, or look at /health for what is wrong"
                )
            opened.users += 1
        try:
            yield opened
        finally:
            with self._lock:
                opened.users -= 1
                if not opened.users and opened in self._leaving:
                    self._leaving.remove(opened)

    def predict(self, texts: Sequence[str]) -> Answered:
        """Raises NotReady: no version is in service yet."""
        with self.using() as opened:
            return Answered(opened.release, opened.session.predict(texts))


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
