"""Canonical bytes, fingerprints, and writes that are there whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from openautoglm.files import (
    canonical_json,
    fingerprint,
    fingerprint_dir,
    fresh_dir,
    keep_newest,
    load_json,
    save_json,
    write_atomic,
)


def test_canonical_json_is_one_byte_string_per_value() -> None:
    assert canonical_json({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'.encode()
    assert canonical_json({"a": "ü", "b": 1}) == canonical_json({"b": 1, "a": "ü"})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_save_json_round_trips_and_is_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.json"
    save_json(path, {"b": [1, 2], "a": None})

    assert load_json(path) == {"a": None, "b": [1, 2]}
    assert path.read_text().endswith("\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [p.name for p in path.parent.iterdir()] == ["x.json"]


def test_a_failed_write_leaves_the_old_bytes_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_atomic(path, b"old")
    with pytest.raises(TypeError):
        write_atomic(path, "not bytes")  # type: ignore[arg-type]

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_fresh_dir_replaces_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with fresh_dir(target) as fresh:
        (fresh / "a").write_text("1")
    with pytest.raises(FileNotFoundError), fresh_dir(target) as fresh:
        (fresh / "b").write_text((target / "missing").read_text())

    assert [p.name for p in target.iterdir()] == ["a"]
    assert list(tmp_path.iterdir()) == [target]
    with fresh_dir(target) as fresh:
        (fresh / "c").write_text("3")
    assert [p.name for p in target.iterdir()] == ["c"]


def test_fingerprints_see_names_and_bytes_only(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_atomic(tmp_path / name / "sub" / "a", b"1")
    same = fingerprint_dir(tmp_path / "one")

    assert fingerprint_dir(tmp_path / "two") == same
    (tmp_path / "two/sub/a").rename(tmp_path / "two/sub/b")
    assert fingerprint_dir(tmp_path / "two") != same
    assert fingerprint(b"x") != fingerprint("x")


def test_the_newest_stay_whatever_they_are(tmp_path: Path) -> None:
    for number in range(4):
        path = tmp_path / f"{number}"
        path.mkdir() if number % 2 else path.touch()
        os.utime(path, (number, number))
    keep_newest([*tmp_path.iterdir(), tmp_path / "gone meanwhile"], 2)
    assert {path.name for path in tmp_path.iterdir()} == {"2", "3"}
    keep_newest(tmp_path.iterdir(), 3)
    assert {path.name for path in tmp_path.iterdir()} == {"2", "3"}
    keep_newest(tmp_path.iterdir(), 0)
    assert not list(tmp_path.iterdir())
