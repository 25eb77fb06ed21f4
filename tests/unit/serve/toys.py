"""Tiny releases that answer, published without training anything: one export, and copies whose weights were nudged."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np

from openautoglm.export.session import Session
from openautoglm.release import Release, ReleaseStore, build, materialise
from tests.unit.export.toys import make_checkpoint, make_folder

ROOT = Path(__file__).parents[3]
TEXT = "I cannot log in from my phone since the update!"


def make_export(path: Path, backbone: str = "tiny") -> Path:
    return make_folder(path / "onnx", make_checkpoint(path / "checkpoint", backbone))


def nudged(export: Path, out: Path, step: int) -> Path:
    """The export after a small update of half of its bf16 values, with a canary that fits."""
    if out.exists():
        return out
    shutil.copytree(export, out)
    data = bytearray((export / "model.safetensors").read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    random = np.random.default_rng(step)
    for name, entry in json.loads(data[8:start]).items():
        if name == "__metadata__" or entry["dtype"] != "BF16" or "word_embeddings" in name:
            continue
        begin, end = (start + offset for offset in entry["data_offsets"])
        values = np.frombuffer(data[begin:end], np.uint16).copy()
        values[random.random(values.size) < 0.5] ^= 1 + step % 3
        data[begin:end] = values.tobytes()
    (out / "model.safetensors").write_bytes(data)
    save_canary(out)
    return out


def save_canary(folder: Path) -> None:
    answer = Session(folder, 1).predict([TEXT])[0]
    canary = {"doc_id": "x", "text": TEXT, "label": answer.label, "probability": round(answer.probability, 6)}
    (folder / "canary.json").write_text(json.dumps(canary))


def publish(store: ReleaseStore, root: Path, folder: Path) -> Release:
    head = store.head()
    base = materialise(store, head, root / "held" / head.id) if head else None
    build(folder, head, base, root / "candidate", version=store.next_version(), anchor_every=8)
    return store.publish(root / "candidate", "stable", "gates passed")


def flip(path: Path, place: int | None = None) -> None:
    """One bit of the file, by default in its middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if place is None else place] ^= 1
    path.write_bytes(data)


def wait_for(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


class Client:
    """One connection, kept open."""

    def __init__(self, port: int) -> None:
        self.connection = HTTPConnection("127.0.0.1", port, timeout=20)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        self.connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
        response = self.connection.getresponse()
        return response.status, json.loads(response.read())

    def predict(self, *texts: str) -> tuple[int, Any]:
        return self.ask("POST", "/predict", {"texts": list(texts or (TEXT,))})


@dataclass
class Load:
    """Requests one after the other until :meth:`end`: (start, seconds, release) each, and what failed."""

    port: int
    pause: float = 0.002  # seconds between requests
    answers: list[tuple[float, float, str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        client = Client(self.port)
        while not self._stop.wait(self.pause):
            start = time.perf_counter()
            try:
                status, answer = client.predict()
                assert status == 200, answer
                self.answers.append((start, time.perf_counter() - start, answer["release"]))
            except Exception as error:
                self.failed.append(repr(error))
                client = Client(self.port)

    @contextmanager
    def on(self, threads: int = 1) -> Iterator[Load]:
        running = [threading.Thread(target=self.run) for _ in range(threads)]
        for thread in running:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in running:
                thread.join()


@dataclass
class Server:
    process: subprocess.Popen[str]
    port: int
    lines: list[dict[str, Any]]

    def changes(self) -> list[dict[str, Any]]:
        return [line for line in self.lines if "accepted" in line]

    def client(self) -> Client:
        return Client(self.port)


@contextmanager
def serving(store: str, to: Path, *options: str) -> Iterator[Server]:
    """A real `autoglm serve` on a free port."""
    command = ["serve", "--store", store, "--to", str(to), "--port", "0", "--json", *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "openautoglm.cli", *command],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    lines: list[dict[str, Any]] = []
    assert process.stdout
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    try:
        wait_for(lambda: any("told" in line for line in lines) or process.poll() is not None, 60)
        assert process.poll() is None, "it ended"
        told = next(line["told"] for line in lines if "told" in line)
        yield Server(process, int(told.split()[0].rsplit(":", 1)[1]), lines)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGKILL)


def _read(process: subprocess.Popen[str], lines: list[dict[str, Any]]) -> None:
    assert process.stdout
    for line in process.stdout:
        lines.append(json.loads(line))
