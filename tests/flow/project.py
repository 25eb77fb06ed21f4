"""A small copy of this project whose stage bodies take milliseconds: everything else in it is the real thing."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks import QUIET, STAGES

ROOT = Path(__file__).resolve().parents[2]
TOY = Path(__file__).parent / "toy"
REAL = [
    "prefect.yaml",
    "infra/servers.py",
    "flows",
    "tasks",
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvcignore",
    "dvc.yaml",
    "params.yaml",
]
LIBRARY = ["*.py", "commands", "corpus", "loop", "release"]
FIRST = "inbox/0001-a-5ba7a52c.jsonl"  # named as the inbox names what it holds
JUNK = shutil.ignore_patterns("__pycache__")


class ToyProject:
    """A checkout in ``root``; every door is a process of its own, as it is for a user."""

    def __init__(self, root: Path, api_url: str) -> None:
        self.root, self.api_url = root, api_url

    @classmethod
    def create(cls, root: Path, api_url: str = "") -> ToyProject:
        library = [path for pattern in LIBRARY for path in (ROOT / "openautoglm").glob(pattern)]
        for source in [*(ROOT / name for name in REAL), *library]:
            _copy(source, root / source.relative_to(ROOT))
        for stage in STAGES[:-1]:  # of the bodies only publish is the real one
            (root / f"tasks/{stage}.py").unlink(missing_ok=True)
        shutil.copytree(TOY, root, dirs_exist_ok=True, ignore=JUNK)
        params = root / "params.yaml"
        params.write_text(
            _fixed(params.read_text(), epochs=4, npmi_window=10, min_accuracy=0.5, parent="null")
        )
        (root / ".gitignore").write_text((ROOT / ".gitignore").read_text())
        for command in (["git", "init", "-q"], ["git", "add", "-A"], [*GIT, "commit", "-qm", "toy"]):
            subprocess.run(command, cwd=root, check=True)
        (root / "inbox").mkdir()
        (root / FIRST).write_text("one\ntwo\n")
        return cls(root, api_url)

    def copied(self, root: Path) -> ToyProject:
        shutil.copytree(self.root, root, symlinks=True)
        return ToyProject(root, self.api_url)

    def env(self, **more: str) -> dict[str, str]:
        keep = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("PREFECT", "AUTOGLM", "MLFLOW", "DVC", "GIT_"))
        }
        server = {"PREFECT_API_URL": self.api_url} if self.api_url else {}
        path = f"{Path(sys.executable).parent}:{keep['PATH']}"
        keep |= QUIET | server | {"AUTOGLM_TRACKING": "off"}
        return keep | {"PATH": path, "SHELL": "/bin/sh", "PREFECT_LOGGING_LEVEL": "INFO"} | more

    def start(self, *command: str, **env: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.root, env=self.env(**env), stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    def run(self, *command: str, code: int | None = 0, **env: str) -> str:
        process = self.start(*command, **env)
        output, _ = process.communicate(timeout=240)
        assert code is None or process.returncode == code, (
            f"{command} ended with {process.returncode}:\n{output}"
        )
        return output

    def flow(self, *arguments: str, code: int | None = 0, **env: str) -> str:
        return self.run(sys.executable, "-m", "flows.pipeline", *arguments, code=code, **env)

    def repro(self, *arguments: str, code: int | None = 0) -> str:
        return self.run("dvc", "repro", *arguments, code=code)

    def status(self) -> str:
        return self.run("dvc", "status")

    def calls(self) -> list[str]:
        path = self.root / "calls"
        return path.read_text().splitlines() if path.is_file() else []

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text()
        assert old in text, f"{old!r} not in {name}"
        path.write_text(text.replace(old, new))


GIT = ["git", "-c", "user.name=toy", "-c", "user.email=toy@example.org"]


def _fixed(params: str, **values: object) -> str:
    """``params`` with values that the tests count on, whatever somebody tunes the defaults to."""
    for name, value in values.items():
        params = re.sub(rf"^  {name}: \S+", f"  {name}: {value}", params, flags=re.M)
    return params


@contextmanager
def prefect_server(folder: Path, at: int = 0) -> Iterator[str]:
    """API URL of a real Prefect server on a database of its own in ``folder``, at port ``at`` or a free one."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(at or probe.getsockname()[1])
    own = {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder / 'prefect.db'}",
        "PREFECT_HOME": str(folder),
        # as `make up` has them: a waiting run asks again after 2 s and not after 30
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "2",
    }
    command = [
        sys.executable,
        "-m",
        "prefect",
        "server",
        "start",
        "--no-ui",
        "--host",
        "127.0.0.1",
        "--port",
        port,
    ]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=os.environ | QUIET | own, stdout=log, stderr=log, cwd=folder)
    try:
        _wait(f"http://127.0.0.1:{port}/api/health")
        yield f"http://127.0.0.1:{port}/api"
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait(url: str, seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=JUNK)
    elif source.is_file():
        shutil.copy(source, target)


def fates(output: str) -> dict[str, str]:
    """{stage: ran | restored}, from the line that a flow prints; stages left out were cached."""
    (line,) = [line for line in output.splitlines() if "steps    " in line]
    words = line.split("steps    ")[1]
    return {} if words == "all cached" else dict(part.split() for part in words.split(", "))
