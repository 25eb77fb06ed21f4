"""What nodes say: typed, sealed, versioned; a store that takes no messages is told of once and serves on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openautoglm import cli
from openautoglm.errors import Corrupt, UserError
from openautoglm.release import ReleaseStore
from openautoglm.release.messages import ACKS, Ack, Have, Hello, NodeState, Want, listed, node_name, record
from openautoglm.release.places import open_storage
from openautoglm.release.release import seal, unseal
from openautoglm.serve.report import Reporter, checked_name, default_name

HELLO = Hello("host", "0.1.0", 1, 1, "stable", "2026-01-01T00:00:00+00:00")
R1, R2 = "v000001-aaaaaaaaaaaa", "v000002-bbbbbbbbbbbb"


def test_every_message_comes_back(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path))
    state = NodeState("a", HELLO)
    for message in (
        Have(R1, "t", (R1,)),
        Want(R2, "t"),
        Ack(R2, False, "corrupt", "t"),
        Ack(R1, True, "", "t", {"fetch": 0.1}),
    ):
        state = state.after(message)
        record(storage, state)
    assert listed(storage) == ([state], [])
    assert [ack.release for ack in state.acks] == [R2, R1]


def test_only_the_latest_acks_are_kept() -> None:
    state = NodeState("a", HELLO)
    for number in range(ACKS + 3):
        state = state.after(Ack(R1, True, str(number), "t"))
    assert [ack.reason for ack in state.acks] == [str(number) for number in range(3, ACKS + 3)]


@pytest.mark.parametrize("change", [{"format": 2}, {"node": "other"}, {"hello": {"host": 1}}, {"acks": None}])
def test_what_is_no_node_is_named_and_hides_no_other(change: dict[str, object], tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path))
    good = NodeState("good", HELLO)
    record(storage, good)
    value = unseal(NodeState("bad", HELLO).to_bytes(), "")
    storage.overwrite(node_name("bad"), seal({**value, **change}))
    states, faults = listed(storage)
    assert states == [good]
    assert [fault.partition(":")[0] for fault in faults] == ["nodes/bad.json"]


def test_names(tmp_path: Path) -> None:
    for name in ("../x", "A", "", ".x", "a" * 64):
        with pytest.raises(Corrupt):
            node_name(name)
    with pytest.raises(UserError, match="small letters"):
        checked_name("My Node")
    assert default_name(tmp_path) != default_name(tmp_path / "other")
    assert checked_name(default_name(tmp_path))


def test_a_store_that_takes_no_messages_is_told_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, said = open_storage(str(tmp_path)), []
    reporter = Reporter(storage, "a", "stable", warn=said.append, beat=0.0)

    def refuse(name: str, data: bytes) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(storage, "overwrite", refuse)
        for _ in range(3):
            reporter.flush()
    assert len(said) == 1
    assert "takes no messages" in said[0]
    reporter.flush()
    assert [state.node for state in listed(storage)[0]] == ["a"]


def test_autoglm_nodes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage = ReleaseStore(tmp_path).storage
    reporter = Reporter(storage, "web-1", "stable", count=lambda: (7, 1))
    reporter.say(
        Have(R1, "2026-01-01T00:00:00+00:00", (R1,)), Want(R2, "t"), Ack(R2, False, "does not fit", "t")
    )
    storage.overwrite("nodes/broken.json", b"{}")
    with pytest.raises(SystemExit) as left:
        cli.main(["nodes", "--store", str(tmp_path), "--json"])
    assert left.value.code == 0
    out = capsys.readouterr()
    (row,) = json.loads(out.out)
    assert "nodes/broken.json" in out.err
    expected = {
        "node": "web-1",
        "release": R1,
        "wants": R2,
        "refused": "does not fit",
        "silent": False,
        "requests": 7,
    }
    assert expected.items() <= row.items()
    with pytest.raises(SystemExit):
        cli.main(["nodes", "--store", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "web-1" in shown
    assert "does not fit" in shown
