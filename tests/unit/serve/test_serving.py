"""A real server on 127.0.0.1: no request fails over releases and rollbacks, errors are one line, a restart goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from openautoglm.release import ReleaseStore
from openautoglm.release.messages import listed
from tests.unit.serve.toys import ROOT, TEXT, Load, Server, flip, nudged, publish, serving, wait_for


def serves(server: Server, release: str) -> bool:
    return any(change["accepted"] and change["release"] == release for change in server.changes()[-1:])


def test_no_request_fails_over_releases_and_rollbacks(
    store: ReleaseStore, versions: list[Path], tmp_path: Path
) -> None:
    first = publish(store, tmp_path, versions[0])
    with serving(store.url, tmp_path / "node", "--follow", "--every", "0.05", "--node", "web-1") as server:
        load = Load(server.port)
        with load.on(threads=2):
            wait_for(lambda: len(load.answers) > 20)
            second = publish(store, tmp_path, versions[1])
            wait_for(lambda: serves(server, second.id))
            bad = publish(store, tmp_path, versions[2])
            wait_for(lambda: serves(server, bad.id))
            store.rollback(second.id, reason="worse")
            wait_for(lambda: serves(server, second.id) and len(server.changes()) == 4)
            enough = len(load.answers) + 20
            wait_for(lambda: len(load.answers) > enough)
        assert load.failed == []
        order = [release for _, _, release in sorted(load.answers)]
        assert [order[0], order[-1]] == [first.id, second.id]
        assert set(order) == {first.id, second.id, bad.id}
        last = server.changes()[-1]
        assert (last["route"], last["fetched"], last["previous"]) == ("held", 0, bad.id)
        assert last["seconds"].keys() == {"resolve", "verify", "session", "warm-up", "switch"}
        wait_for(lambda: listed(store.storage)[0][0].have.current == second.id)
        assert listed(store.storage)[0][0].node == "web-1"
    assert store.verify() == []


def test_a_corrupt_release_changes_nothing_for_anybody(
    store: ReleaseStore, versions: list[Path], tmp_path: Path
) -> None:
    first = publish(store, tmp_path, versions[0])
    with serving(store.url, tmp_path / "node", "--follow", "--every", "0.05") as server:
        second = publish(
            store, tmp_path, versions[1]
        )  # may be taken before the flip; then the node holds it whole
        flip(Path(store.url) / "channels" / "stable.json", 30)
        wait_for(lambda: any(not change["accepted"] for change in server.changes()))
        client = server.client()
        status, answer = client.predict()
        assert status == 200
        assert answer["release"] in (first.id, second.id)
        status, health = client.ask("GET", "/health")
        assert (status, health["status"], health["failures"]) == (200, "behind", 0)
        assert "seal" in health["trouble"]


def test_the_routes(store: ReleaseStore, versions: list[Path], tmp_path: Path) -> None:
    first = publish(store, tmp_path, versions[0])
    to = tmp_path / "node"
    with serving(store.url, to) as server:
        client = server.client()
        status, answer = client.predict(TEXT, "hello")
        assert (status, answer["release"], len(answer["answers"])) == (200, first.id, 2)
        assert answer["answers"][0].keys() == {"label", "probability", "in_scope", "score"}
        assert client.predict("half a pair \ud800")[0] == 200
        with urlopen(f"http://127.0.0.1:{server.port}/predict", b'{"texts": ["hello"]}') as said:
            assert len(json.load(said)["answers"]) == 1, "a form by its header, as `curl -d` sends it"
        status, version = client.ask("GET", "/version")
        assert (status, version["release"], version["labels"][0]) == (200, first.id, "card_arrival")
        for expected, method, path, body, told in (
            (422, "POST", "/predict", {"texts": []}, "texts is empty"),
            (422, "POST", "/predict", {"text": "a"}, "texts: Field required"),
            (422, "POST", "/predict", {"texts": ["a"], "top": 2}, "top: Extra inputs"),
            (422, "POST", "/predict", {"texts": "a"}, "texts: Input should be a valid list"),
            (422, "POST", "/predict", b"{", "not JSON"),
            (413, "POST", "/predict", {"texts": ["a"] * 300}, "300 texts, at most 256"),
            (413, "POST", "/predict", {"texts": ["a" * 20_001]}, "text 0 has 20001 characters"),
            (413, "POST", "/predict", b"x" * (2 << 20), "more than 1048576 bytes"),
            (404, "GET", "/nothing", None, "GET /nothing: Not Found; there are POST /predict"),
            (405, "GET", "/predict", None, "Method Not Allowed"),
        ):
            status, answer = server.client().ask(method, path, body)
            assert (status, list(answer)) == (expected, ["error"]), answer
            assert told in answer["error"]
            assert "\n" not in answer["error"]
        second = publish(store, tmp_path, versions[1])
        assert client.predict()[1]["release"] == first.id, "only when told"
        assert client.ask("POST", "/refresh") == (202, {"told": True})
        wait_for(lambda: serves(server, second.id))
        store.rollback(reason="worse")
        server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: serves(server, first.id))
        taken = _cli("serve", "--store", store.url, "--to", str(to), "--port", str(server.port))
        assert (taken.returncode, taken.stderr.count("\n")) == (2, 1)
        assert "choose another --port" in taken.stderr
    shutil.rmtree(store.url)
    with serving(store.url, to, "--follow") as server:  # a restart while the store is away
        assert server.client().predict()[1]["release"] == first.id


def test_waiting_for_a_first_release(store: ReleaseStore, versions: list[Path], tmp_path: Path) -> None:
    done = _cli("serve", "--store", store.url, "--to", str(tmp_path / "node"), "--port", "0")
    assert done.returncode == 2
    assert "nothing to serve: channel stable" in done.stderr
    with serving(store.url, tmp_path / "node", "--follow", "--every", "0.05") as server:
        client = server.client()
        assert client.predict()[0] == 503
        status, health = client.ask("GET", "/health")
        assert (status, health["status"]) == (503, "starting")
        release = publish(store, tmp_path, versions[0])
        wait_for(lambda: serves(server, release.id))
        assert client.predict()[1]["release"] == release.id


def test_no_torch_in_a_serving_process() -> None:
    check = (
        "import sys; import openautoglm.serve.server, openautoglm.serve.puller\n"
        "slow = {'torch', 'transformers', 'mlflow', 'prefect', 'dvc', 'pandas'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", check], check=True, cwd=ROOT)


@pytest.mark.slow
def test_20_releases_and_5_rollbacks(store: ReleaseStore, versions: list[Path], tmp_path: Path) -> None:
    first = publish(store, tmp_path, versions[0])
    with serving(store.url, tmp_path / "node", "--follow", "--every", "0.05") as server:
        load, spans = Load(server.port, pause=0.005), []
        with load.on():
            wait_for(lambda: len(load.answers) > 300, 60)
            for step in range(1, 21):
                release = publish(store, tmp_path, nudged(versions[0], tmp_path / f"v{step}", step))
                wait_for(lambda release=release: serves(server, release.id), 60)  # type: ignore[misc]
                if step % 4 == 0:
                    back = store.rollback(reason="worse")
                    wait_for(lambda back=back: serves(server, back.id), 60)  # type: ignore[misc]
                    store.promote(release.id, "stable", "it was right")
                    wait_for(lambda release=release: serves(server, release.id), 60)  # type: ignore[misc]
            spans = [sum(change["seconds"].values()) for change in server.changes()]
        assert load.failed == []
        assert len(server.changes()) == 1 + 20 + 5 + 5
        assert first.id != server.client().predict()[1]["release"]
    taken = sorted(seconds for _, seconds, _ in load.answers)
    print(f"\n{len(taken)} requests, none failed; p50 {statistics.median(taken) * 1e3:.1f} ms")
    print(
        f"p99 {taken[int(0.99 * len(taken))] * 1e3:.1f} ms; a change takes {statistics.median(spans):.2f} s"
    )
    assert store.verify() == []


def _cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "openautoglm.cli", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
