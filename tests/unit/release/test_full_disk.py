"""The disk is full when the pointer has moved: it returns, and the log says so. On a real, small file system."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from openautoglm.release import ReleaseStore
from openautoglm.release.spare import SIZE, Spare
from tests.unit.release.samples import candidate, publish_next

ROOT = Path(__file__).parents[3]
# in a mount namespace of its own, so that no right is needed and nothing is left mounted; the store is looked at there too
MOUNTED = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
FILLED = """
import json, sys
from pathlib import Path
sys.path.insert(0, "")
from openautoglm.errors import AutoGLMError
from openautoglm.release import ReleaseStore
from openautoglm.release.places import LocalStorage
from tests.unit.release.samples import candidate, publish_next

disk, beside = Path(sys.argv[1]), Path(sys.argv[2])
store = ReleaseStore(disk / "releases")

def fill():
    with open(disk / "junk", "ab", buffering=0) as junk:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    junk.write(b"x" * size)
            except OSError as error:
                print("full", error.errno, file=sys.stderr)

def full_before(what):
    plain = LocalStorage.create
    def create(self, name, data):
        if name.startswith(what):
            fill()
        return plain(self, name, data)
    LocalStorage.create = create
    return plain

def told():
    head = store.head()
    return [head and head.id, [[e["kind"], e["from"], e["to"]] for e in store.log()], store.verify(), store.versions()]

results = []
"""
END = "\nprint(json.dumps(results))\n"


def on_a_small_disk(script: str, tmp_path: Path) -> list[list[object]]:
    """What ``script`` appends to ``results``; ``told()`` is [head, log, faults, versions]."""
    disk, beside = tmp_path / "disk", tmp_path / "beside"
    disk.mkdir()
    beside.mkdir()
    mount = f'mount -t tmpfs -o size=2m none "{disk}"'
    if subprocess.run([*MOUNTED, mount], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    program = tmp_path / "program.py"
    program.write_text(FILLED + script + END)
    run = f'{mount} && exec "{sys.executable}" "{program}" "{disk}" "{beside}"'
    ended = subprocess.run([*MOUNTED, run], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "full 28" in ended.stderr, "the disk was full"
    found: list[list[object]] = json.loads(ended.stdout)
    return found


FULL_AT_THE_LOG = """
first = publish_next(store, beside, 0)
second = candidate(store, beside, 1)
plain = full_before("log/")
try:
    store.publish(second, "stable", "gates passed")
except AutoGLMError as error:
    results.append([str(error)])
results.append(told())
LocalStorage.create = plain
try:
    store.publish(second, "stable", "gates passed")
except AutoGLMError as error:
    results.append([str(error)])
results.append(told())
(disk / "junk").unlink()
results.append([store.publish(second, "stable", "gates passed").id])
results.append(told())
"""


def test_full_when_the_move_is_to_be_logged(tmp_path: Path) -> None:
    error, taken_back, again, still, done, after = on_a_small_disk(FULL_AT_THE_LOG, tmp_path)
    first, second = taken_back[0], done[0]
    assert "No space left" in str(error[0])
    assert taken_back == [first, [["publish", None, first], ["undo", second, first]], [], [1, 2]]
    assert "No space left" in str(again[0]), (
        "refused before the pointer moves: nothing would be left for the way back"
    )
    assert still == taken_back
    log = [["publish", None, first], ["undo", second, first], ["publish", first, second]]
    assert after == [second, log, [], [1, 2]]


FULL_AFTER_THE_MOVE = """
first = publish_next(store, beside, 0)
second = store.publish(candidate(store, beside, 1), "stable", "gates passed")
fill()
store.take_back(second.id, first.id, "stable", "no space left for the registry")
results.append(told())
(disk / "junk").unlink()
results.append([second.id, store.publish(beside / "candidate", "stable", "gates passed").id])
fill()
store.take_back(second.id, first.id, "stable", "no space left for the registry")
results.append(told())
"""


def test_full_when_what_follows_is_to_be_written(tmp_path: Path) -> None:
    taken_back, (second, published), again = on_a_small_disk(FULL_AFTER_THE_MOVE, tmp_path)
    first, undone = taken_back[0], ["undo", second, taken_back[0]]
    assert first != second == published
    assert taken_back == [first, [["publish", None, first], ["publish", first, second], undone], [], [1, 2]]
    assert again[0] == first, "the room is there again after every move"
    assert again[1][-2:] == [["publish", first, second], undone]  # type: ignore[index]


FULL_AT_A_ROLLBACK = """
first = publish_next(store, beside, 0)
second = publish_next(store, beside, 1)
fill()
results.append([store.rollback(reason="worse on Mondays").id, first.id, second.id])
results.append(told())
"""


def test_a_rollback_needs_no_other_room(tmp_path: Path) -> None:
    (rolled_back, first, second), after = on_a_small_disk(FULL_AT_A_ROLLBACK, tmp_path)
    assert rolled_back == first
    log = [["publish", None, first], ["publish", first, second], ["rollback", second, first]]
    assert after == [first, log, [], [1, 2]]


def test_who_moved_on_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ReleaseStore(tmp_path / "releases")
    first, folder = publish_next(store, tmp_path, 0), candidate(store, tmp_path, 1)
    plain = ReleaseStore._append

    def overtaken(self: ReleaseStore, *given: object) -> None:
        monkeypatch.setattr(ReleaseStore, "_append", plain)
        ReleaseStore(self.url).promote(first.id, "stable", "somebody else's")
        raise OSError("the log is away")

    monkeypatch.setattr(ReleaseStore, "_append", overtaken)
    with pytest.raises(OSError, match="away"):
        store.publish(folder, "stable", "gates passed")
    assert store.head() == first
    assert [entry["kind"] for entry in store.log()] == ["publish", "promotion", "undo"]
    assert store.publish(folder, "stable", "gates passed") == store.head()


def test_each_file_of_the_room_is_taken_by_one(tmp_path: Path) -> None:
    no_space = OSError(errno.ENOSPC, "no space left")
    spare = Spare(tmp_path)
    spare.keep()
    assert spare.take(no_space, tmp_path / "a", b"not in use") is None
    with spare.in_use(), ThreadPoolExecutor(4) as pool:
        tasks = [
            pool.submit(spare.take, no_space, tmp_path / f"{number}.json", bytes([number]))
            for number in range(4)
        ]
        taken = {number: task.result() for number, task in enumerate(tasks)}
        found = {number: path for number, path in taken.items() if path}
        assert len(found) == 2
        assert all(path.read_bytes() == bytes([number]) for number, path in found.items())
        assert spare.take(OSError(errno.EACCES, "another fault"), tmp_path / "a", b"") is None
    spare.keep()
    os.link(spare.files[0], tmp_path / "log-entry")  # what a kill leaves between the link and the unlink
    with spare.in_use():
        (mine,) = [path for path in (spare.take(no_space, tmp_path / "b", b"b") for _ in range(2)) if path]
    assert mine.read_bytes() == b"b"
    assert (tmp_path / "log-entry").stat().st_size == SIZE


def test_the_room_is_no_part_of_the_store(tmp_path: Path) -> None:
    store = ReleaseStore(tmp_path / "releases")
    store.storage.reserve()
    assert sorted(path.name for path in (tmp_path / "releases").iterdir()) == [".spare-0", ".spare-1"]
    assert (store.versions(), store.log(), store.verify()) == ([], [], [])
