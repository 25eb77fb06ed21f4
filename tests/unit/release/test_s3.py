"""The same store on a real S3 API (moto's server on 127.0.0.1): conditional puts, races, pulls."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from openautoglm.errors import Conflict, Corrupt
from openautoglm.release import ReleaseStore, pull
from openautoglm.release.candidate import contents
from openautoglm.release.messages import Ack, Have, Hello, NodeState, listed, record
from openautoglm.release.places import S3Storage, open_storage
from tests.unit.release.samples import candidate, onnx, publish_next


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = pytest.importorskip("moto.server").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def url(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"b{abs(hash(request.node.name)) % 10**9}"
    s3fs.S3FileSystem().mkdir(bucket)
    return f"s3://{bucket}/team/releases"


def test_create_and_swap_are_conditional(url: str) -> None:
    storage = open_storage(url)
    assert isinstance(storage, S3Storage)
    assert storage.create("a/x.json", b"1")
    assert not storage.create("a/x.json", b"2")
    assert storage.read("a/x.json") == b"1"
    assert not storage.swap("a/x.json", b"0", b"3")
    assert not storage.swap("a/x.json", None, b"3")
    assert storage.swap("a/x.json", b"1", b"3")
    assert not storage.swap("a/y.json", b"1", b"3")
    assert storage.swap("a/y.json", None, b"4")
    assert (storage.names("a"), storage.names("b"), storage.read("b")) == (["x.json", "y.json"], [], None)


def test_a_swap_between_read_and_put_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, other = open_storage(url), open_storage(url)
    storage.create("p", b"1")
    read = storage.read

    def read_then_lose(name: str) -> bytes | None:
        data = read(name)
        assert other.swap("p", b"1", b"2")
        return data

    monkeypatch.setattr(storage, "read", read_then_lose)
    assert not storage.swap("p", b"1", b"3")
    assert other.read("p") == b"2"


def test_publish_pull_rollback_verify(url: str, tmp_path: Path) -> None:
    store = ReleaseStore(url)
    releases = [publish_next(store, tmp_path, step) for step in range(3)]
    assert (store.versions(), store.head(), store.verify()) == ([1, 2, 3], releases[2], [])
    for ref in (1, None):
        pull(url, tmp_path / "node", ref=ref)
    assert contents((tmp_path / "node/current").resolve()) == contents(onnx(tmp_path, 2))
    store.rollback(reason="a test")
    assert pull(url, tmp_path / "node").release == releases[1]
    assert [entry["kind"] for entry in store.log()] == ["publish", "publish", "publish", "rollback"]


def test_nodes_report_and_the_pointer_keeps_its_fence(url: str, tmp_path: Path) -> None:
    store = ReleaseStore(url)
    release = store.publish(candidate(store, tmp_path, 0), "stable", "a test", fence=3)
    state = NodeState("a", Hello("host", "0.1.0", 1, 1, "stable", "2026-01-01T00:00:00+00:00"))
    for message in (Have(release.id, "t", (release.id,)), Ack(release.id, True, "", "t", {"fetch": 0.1})):
        state = state.after(message)
        record(store.storage, state)
    assert listed(store.storage) == ([state], [])
    with pytest.raises(Conflict, match="later training lease"):
        store.publish(candidate(store, tmp_path, 1), "stable", "late", fence=2)
    assert (store.head(), store.fence("stable"), store.verify()) == (release, 3, [])


def test_a_damaged_object_is_named_and_refused(url: str, tmp_path: Path) -> None:
    store = ReleaseStore(url)
    release = publish_next(store, tmp_path, 0)
    name = f"blobs/{release.weights.own.blob}"
    data = bytearray(store.storage.read(name) or b"")
    data[-1] ^= 1
    store.storage.fs.pipe_file(store.storage.path(name), bytes(data))
    assert any(release.weights.own.blob in fault for fault in store.verify())
    with pytest.raises(Corrupt):
        pull(url, tmp_path / "node")


def test_two_publishers_one_wins(url: str, tmp_path: Path) -> None:
    publish_next(ReleaseStore(url), tmp_path, 0)
    folders = [candidate(ReleaseStore(url), tmp_path, step, name=f"c{step}") for step in (1, 2)]
    start, results = threading.Barrier(2), []

    def race(folder: Path) -> None:
        store = ReleaseStore(url)
        start.wait()
        try:
            store.publish(folder)
            results.append("won")
        except Conflict:
            results.append("told")

    threads = [threading.Thread(target=race, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["told", "won"]
    assert ReleaseStore(url).verify() == []
