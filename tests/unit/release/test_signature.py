"""Signed releases: a node with a key takes nothing that is unsigned, altered or signed by somebody else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from openautoglm import cli
from openautoglm.errors import Corrupt, ReleaseError, Untrusted
from openautoglm.release import ReleaseStore, pull
from openautoglm.release.gc import collect
from openautoglm.release.node import current, sound
from openautoglm.release.release import seal, unseal
from openautoglm.release.signature import KEY_ENV, Signer, Trust, signed_by, write_keys
from tests.unit.release.samples import publish_next


@pytest.fixture
def key(tmp_path: Path) -> Path:
    write_keys(tmp_path / "team.key")
    return tmp_path / "team.key"


@pytest.fixture
def trust(key: Path) -> Trust:
    trust = Trust.load([key.with_name("team.key.pub")])
    assert trust
    return trust


@pytest.fixture
def store(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> ReleaseStore:
    monkeypatch.setenv(KEY_ENV, str(key))
    return ReleaseStore(tmp_path / "store")


def test_a_signed_release_is_taken(store: ReleaseStore, trust: Trust, tmp_path: Path) -> None:
    for step in range(2):
        release = publish_next(store, tmp_path, step)
        assert pull(store.url, tmp_path / "node", trust=trust).release == release
    assert store.verify() == []
    assert sound(tmp_path / "node", release.id, trust)
    assert pull(store.url, tmp_path / "free").release == release, "nobody has to check"


def test_an_unsigned_release_is_refused(
    store: ReleaseStore, trust: Trust, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish_next(store, tmp_path, 0)
    pull(store.url, tmp_path / "node", trust=trust)
    monkeypatch.delenv(KEY_ENV)
    second = publish_next(store, tmp_path, 1)
    with pytest.raises(Untrusted, match=r"v000002.json: is not signed"):
        pull(store.url, tmp_path / "node", trust=trust)
    assert current(tmp_path / "node") == first.id
    pull(store.url, tmp_path / "node")
    assert sound(tmp_path / "node", second.id)
    assert sound(tmp_path / "node", second.id, trust) is None, "what is held must be signed as well"


def test_another_key_is_refused(store: ReleaseStore, tmp_path: Path) -> None:
    publish_next(store, tmp_path, 0)
    other = Trust.load([write_keys(tmp_path / "other.key")])
    with pytest.raises(Untrusted, match="signed by"):
        pull(store.url, tmp_path / "node", trust=other)
    both = Trust.load([tmp_path / "team.key.pub", tmp_path / "other.key.pub"])
    assert pull(store.url, tmp_path / "node", trust=both).route == "anchor"


def test_an_altered_manifest_is_refused_even_with_a_new_seal(
    store: ReleaseStore, trust: Trust, tmp_path: Path
) -> None:
    publish_next(store, tmp_path, 0)
    path = Path(store.url) / "manifests/v000001.json"
    value = unseal(path.read_bytes(), "")
    path.write_bytes(seal({**value, "metrics": {"accuracy": 1.0}}))
    assert ReleaseStore(store.url).get(1).metrics == {"accuracy": 1.0}, "the seal alone is no signature"
    with pytest.raises(Corrupt, match="its signature does not hold"):
        pull(store.url, tmp_path / "node", trust=trust)
    assert any(fault.startswith("manifests/v000001.sig:") for fault in store.verify())


def test_every_byte_of_a_signature_counts(store: ReleaseStore, trust: Trust, tmp_path: Path) -> None:
    publish_next(store, tmp_path, 0)
    path = Path(store.url) / "manifests/v000001.sig"
    sound_bytes = path.read_bytes()
    for place in range(0, len(sound_bytes), 7):
        changed = bytearray(sound_bytes)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(Corrupt):
            store.__class__(store.url, trust).get(1)
    assert any(fault.startswith("manifests/v000001.sig:") for fault in store.verify())


def test_a_signature_of_one_release_is_none_of_another(
    store: ReleaseStore, trust: Trust, tmp_path: Path
) -> None:
    for step in range(2):
        publish_next(store, tmp_path, step)
    folder = Path(store.url) / "manifests"
    (folder / "v000002.sig").write_bytes((folder / "v000001.sig").read_bytes())
    with pytest.raises(Corrupt):
        pull(store.url, tmp_path / "node", trust=trust)


def test_a_publish_that_died_unsigned_is_signed_by_the_next(
    store: ReleaseStore, trust: Trust, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = store.storage.create

    def die(name: str, data: bytes) -> bool:
        if name.endswith(".sig"):
            raise KeyboardInterrupt
        return create(name, data)

    with monkeypatch.context() as patch:
        patch.setattr(store.storage, "create", die)
        with pytest.raises(KeyboardInterrupt):
            publish_next(store, tmp_path, 0)
    assert store.head() is None
    release = store.publish(tmp_path / "candidate", "stable", "again")
    assert pull(store.url, tmp_path / "node", trust=trust).release == release


def test_gc_takes_the_signature_with_the_manifest(store: ReleaseStore, tmp_path: Path) -> None:
    for step in range(3):
        publish_next(store, tmp_path, step, anchor_every=1)
    assert {"manifests/v000001.json", "manifests/v000001.sig"} <= set(collect(store, grace=0).names)


def test_keys(key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    signer = Signer.load(key)
    assert "PRIVATE" not in repr(signer)
    assert signed_by(b"manifest", signer.sign(b"manifest"), "m") in repr(
        Trust.load([tmp_path / "team.key.pub"]).keys
    )  # type: ignore[union-attr]
    with pytest.raises(ReleaseError, match="there is a key already"):
        write_keys(key)
    with pytest.raises(ReleaseError, match="no key of the expected kind"):
        Signer.load(tmp_path / "team.key.pub")
    with pytest.raises(ReleaseError, match="no key of the expected kind"):
        Trust.load([key])
    with pytest.raises(ReleaseError, match="cannot be read"):
        Trust.load([tmp_path / "none.pub"])
    assert Trust.load([]) is None
    with pytest.raises(SystemExit) as left:
        cli.main(["keygen", str(tmp_path / "new.key")])
    assert left.value.code == 0
    assert KEY_ENV in capsys.readouterr().out


def test_a_base_that_left_the_store_stops_the_publisher(store: ReleaseStore, tmp_path: Path) -> None:
    first = publish_next(store, tmp_path, 0)
    from tests.unit.release.samples import candidate

    mine = candidate(store, tmp_path, 1)
    (Path(store.url) / "blobs" / first.weights.own.blob).unlink()
    with pytest.raises(Corrupt, match="neither in the candidate nor in"):
        store.publish(mine)
    assert store.head() == first
