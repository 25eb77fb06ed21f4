"""Following a channel: see its pointer move, pull, try, switch; keep what is in service when any of that fails.

The pointer is a file of 200 bytes; reading it is all that a poll costs. A release that was refused is tried again after
a while, and at once when told (SIGHUP, POST /refresh) or when the pointer moves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from openautoglm.errors import AutoGLMError
from openautoglm.release.layout import pointer_name
from openautoglm.release.messages import Ack, Have, Want
from openautoglm.release.node import current, held, point, sound
from openautoglm.release.prune import KEEP, prune
from openautoglm.release.store import ReleaseStore
from openautoglm.serve.live import LiveModel, now
from openautoglm.serve.puller import Puller
from openautoglm.serve.report import Reporter

PAUSE, LONGEST_PAUSE = 5.0, 300.0  # seconds after which a refused release is tried again; doubles
STEPS = ("resolve", "fetch", "apply", "files", "verify", "session", "warm-up", "switch")


@dataclass(frozen=True)
class Change:
    """One move of the pointer and what came of it; ``seconds`` by step, ``fetched`` in bytes."""

    release: str | None
    previous: str | None
    accepted: bool
    when: str
    reason: str = ""
    route: str | None = None
    fetched: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __repr__(self) -> str:
        came = (
            f"by {self.route} in {sum(self.seconds.values()):.2f} s"
            if self.accepted
            else f"refused: {self.reason}"
        )
        return f"Change({self.previous} -> {self.release}, {came})"


class Follower:
    """``every``: seconds between polls; None: only when told."""

    def __init__(
        self,
        store: ReleaseStore,
        live: LiveModel,
        puller: Puller,
        channel: str = "stable",
        every: float | None = 0.5,
        keep: int = KEEP,
        reporter: Reporter | None = None,
        on_change: Callable[[Change], None] = lambda change: None,
    ) -> None:
        self.store, self.live, self.puller, self.to = store, live, puller, puller.to
        self.channel, self.every, self.keep = channel, every, keep
        self.reporter, self.on_change = reporter, on_change
        self.trouble: str | None = None  # why what the channel points at is not what is served
        self._seen: bytes | None = b""  # the pointer when it was last acted on
        self._pause, self._again = PAUSE, float("inf")
        self._told, self._stop = threading.Event(), threading.Event()

    def resume(self) -> str | None:
        """Put the version that this node last served into service, if it still is what was published; give its id."""
        name = current(self.to)
        home = sound(self.to, name, self.puller.trust) if name else None
        if name is None or home is None:
            return None
        try:
            self.live.switch(self.live.prepare(name, home))
        except AutoGLMError as error:
            self.trouble = error.message
            return None
        self._report_have()
        return name

    def step(self) -> Change | None:
        """Look at the pointer once and act on it. Never raises for what a store, a release or a disk can do."""
        asked = self._told.is_set()
        self._told.clear()
        try:
            pointer = self.store.storage.read(pointer_name(self.channel))
        except Exception as error:  # the network, a bucket's rights: each filesystem has its own
            self._seen, self.trouble = b"", f"the store cannot be read: {type(error).__name__}: {error}"
            return None
        if pointer == self._seen and not asked and time.monotonic() < self._again:
            return None
        moved, self._seen = pointer != self._seen, pointer
        if pointer is None:
            self.trouble = f"channel {self.channel} of {self.store.url} points at nothing yet; publish first"
            return None
        change = self._follow()
        self._pause = (
            PAUSE if moved or change is None or change.accepted else min(2 * self._pause, LONGEST_PAUSE)
        )
        self._again = float("inf") if change is None or change.accepted else time.monotonic() + self._pause
        if change:
            with suppress(OSError):  # whoever read what we say has gone; following goes on
                self.on_change(change)
        return change

    def run(self) -> None:
        """Follow until :meth:`stop`."""
        while not self._stop.is_set():
            if self.every is not None or self._told.is_set():
                self.step()
            if self.reporter:
                self.reporter.flush()
            beat = self.reporter.beat if self.reporter else 3600.0
            self._told.wait(self.every if self.every is not None else beat)

    def tell(self) -> None:
        """Look now, also at a release that was refused before. Safe in a signal handler of another thread than run's."""
        self._told.set()

    def stop(self) -> None:
        self._stop.set()
        self._told.set()

    def _follow(self) -> Change | None:
        clock, previous, wanted = time.perf_counter(), self.live.release, None
        try:
            head = self.store.head(self.channel)
            assert head
            wanted = head.id
            resolve = time.perf_counter() - clock
            if wanted == previous:
                self.trouble = None
                return None
            return self._take(wanted, previous, resolve)
        except (
            Exception
        ) as error:  # AutoGLMError says it well; a full disk or a lost network must not end us either
            reason = error.message if isinstance(error, AutoGLMError) else f"{type(error).__name__}: {error}"
            return self._refuse(wanted, previous, reason)

    def _take(self, wanted: str, previous: str | None, resolve: float) -> Change:
        fetched = self.puller.pull(wanted)
        opened = self.live.prepare(wanted, fetched.path)
        clock = time.perf_counter()
        point(self.to, wanted)
        self.live.switch(opened)
        took = {**fetched.seconds, **opened.seconds, "switch": round(time.perf_counter() - clock, 6)}
        took["resolve"] = round(took.get("resolve", 0.0) + resolve, 6)
        self.trouble = None
        seconds = {step: took[step] for step in STEPS if step in took}
        change = Change(wanted, previous, True, now(), "", fetched.route, fetched.fetched, seconds)
        self._tidy()
        self._report_have(Want(None, None), Ack(wanted, True, "", change.when, seconds))
        return change

    def _refuse(self, wanted: str | None, previous: str | None, reason: str) -> Change:
        known, self.trouble = self.trouble == reason, reason
        change = Change(wanted, previous, False, now(), reason)
        if self.reporter and not known:
            self.reporter.say(Want(wanted, change.when), Ack(wanted or "", False, reason, change.when))
        return change

    def _tidy(self) -> None:
        try:
            prune(self.to, self.keep)
        except OSError as error:  # the new version serves all the same
            self.trouble = f"old versions cannot be removed: {error}"

    def _report_have(self, *messages: Want | Ack) -> None:
        if self.reporter:
            have = Have(self.live.release, self.live.since, tuple(sorted(held(self.to))))
            self.reporter.say(have, *messages)
