"""A channel's history from its store alone: what each release was worth, what became of it, and the page of it."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from openautoglm.evaluate import chain_figures
from openautoglm.files import save_json
from openautoglm.loop import Batch
from openautoglm.loop.history import History, read
from openautoglm.loop.page import _transfers, stage_times, view, write_chain
from openautoglm.params import Params
from openautoglm.release import Release, ReleaseStore
from tasks.deliver import CHAIN, Delivered, draw_chain, settle
from tests.unit.release.story import tell

Told = tuple[ReleaseStore, list[Release], History]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    root = tmp_path_factory.mktemp("story")
    store = ReleaseStore(root / "store")
    releases = tell(store, root)
    return store, releases, read(store, "stable")


def test_states_follow_the_log(told: Told) -> None:
    _, _, history = told
    found = [(version.name, version.state) for version in history.published]
    assert found == [
        ("v1", "earlier"),
        ("v2", "earlier"),
        ("v3", "rolled back"),
        ("v4", "earlier"),
        ("v5", "previous"),
        ("v6", "in service"),
    ]
    [refused] = [version for version in history.versions if version.state == "rejected"]
    assert refused.name == "v3"
    assert refused.why == "refused by forgetting"
    assert repr(history) == "History(stable: 6 releases, 1 rejected)"


def test_measures_are_those_of_what_led_to_a_release(told: Told) -> None:
    _, releases, history = told
    found = {version.name: version for version in history.published}
    assert found["v3"].summary["backward_transfer"] == pytest.approx((0.80 - 0.95 + 0.70 - 0.91) / 2)
    assert found["v4"].summary["backward_transfer"] == pytest.approx((0.93 - 0.95 + 0.90 - 0.91) / 2)
    assert found["v6"].summary["forgetting"] == pytest.approx((0.01 - 0.01 + 0.01) / 3)
    assert found["v6"].summary["forward_transfer"] == pytest.approx(0.1)
    assert history.lineage == tuple(release.id for place, release in enumerate(releases) if place != 2)
    assert history.joint is found["v5"]
    assert found["v6"].batches == ("0004-b4",)


def test_the_log_is_read_once(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, real = [], ReleaseStore.log
    monkeypatch.setattr(ReleaseStore, "log", lambda store: calls.append(1) or real(store))
    read(told[0], "stable")
    assert len(calls) == 1


def test_the_page(told: Told, tmp_path: Path) -> None:
    store, releases, _ = told
    page = write_chain(store, "stable", tmp_path / "reports/chain.html").read_text()
    assert f"{releases[-1].id} is in service" in page
    for words in (
        "1 candidate refused",
        "1 rollback",
        "What is kept of each batch",
        "Drift of each batch",
        "Backward transfer</dt>",
        "joint bound",
    ):
        assert words in page
    assert "the answers to tickets of the first batch got worse" in page
    assert not re.findall(r"(?:src|href)=.?https?:", page), "everything is inside"
    assert page == write_chain(store, "stable", tmp_path / "again.html").read_text()


def test_the_map_shows_what_was_lost(told: Told) -> None:
    shown = view(told[2])["map"]
    assert [row["name"] for row in shown["rows"]] == ["v1", "v2", "v4", "v5", "v6"]
    assert shown["rows"][2]["cells"][0]["loss"] == pytest.approx(0.02)
    assert shown["rows"][0]["cells"][1] is None
    assert shown["worst"] == pytest.approx(0.02)


def test_transfer_and_forgetting_are_drawn_from_the_second_release_on(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    axes = Figure().add_subplot()
    monkeypatch.setattr(chain_figures, "drawn", lambda draw, inches: draw(axes) or "<svg/>")
    rows = _transfers(told[2].published)
    chain_figures.transfers(rows)

    lines = {str(line.get_label()): line for line in axes.get_lines()}
    places, points = lines["backward transfer"].get_data()
    assert list(places) == [1, 3, 4, 5], "v1 has nothing to compare with, v3 was rolled back"
    assert points[0] == pytest.approx(100 * (0.94 - 0.95))
    assert list(lines["forgetting"].get_ydata())[:2] == pytest.approx([1, 1.5])
    assert list(lines["forward transfer"].get_ydata()) == pytest.approx([10] * 4)
    hollow = [line for line in axes.get_lines() if line.get_markerfacecolor() == "none"]
    assert [(list(line.get_xdata()), line.get_marker()) for line in hollow] == [([2], x) for x in "os^"]


@pytest.mark.parametrize(("forward", "label"), [(0.02, "percentage points"), (0.6, "points, log beyond ±5")])
def test_a_measure_without_a_value_is_left_out_and_a_far_one_hides_no_other(
    forward: float, label: str
) -> None:
    values = [(None, None), (-0.01, None), (-0.02, forward), (None, None), (-0.03, forward)]
    rows = [
        {"name": f"v{number}", "backward": one, "forgetting": None, "forward": other, "hollow": False}
        for number, (one, other) in enumerate(values, start=1)
    ]
    figure = chain_figures.transfers(rows)
    for words in ("backward transfer", "forward transfer", label, "v5"):
        assert f">{words}</text>" in figure
    assert ">forgetting</text>" not in figure
    assert "nan" not in figure


def test_one_release_with_values_is_no_line(told: Told) -> None:
    history = told[2]
    assert _transfers(history.published[:2]) == []
    assert len(_transfers(history.published[:4])) == 4
    young = replace(history, versions=tuple(history.published[:2]), lineage=history.lineage[:2])
    assert view(young)["transfer"] == ""
    assert view(history)["transfer"]


def test_an_empty_store_has_a_page(tmp_path: Path) -> None:
    page = write_chain(ReleaseStore(tmp_path / "store"), "stable", tmp_path / "chain.html").read_text()
    assert "Nothing is in service" in page


def test_another_channel_has_none_of_it(told: Told) -> None:
    history = read(told[0], "canary")
    assert {version.state for version in history.versions} == {"elsewhere"}
    assert history.lineage == ()
    assert view(history)["head"] is None


def test_times_from_arrival_to_service() -> None:
    times = {"taken": 105.0, "ingest": 1.0, "train": 3.0, "evaluate": 0.5, "export": 1.0, "done": 112.0}
    done = Batch("0001-a-5ba7a52c.jsonl", "published", 100.0, 0, "v1", "", times)
    waiting = Batch("0002-b-5ba7a52c.jsonl", "pending", 100.0, 0, None, "", {"taken": 105.0})
    [row] = stage_times([done, waiting])
    assert row["total"] == 12.0
    parts = row["parts"]
    assert (parts["waiting"], parts["train"], parts["evaluate-export"], parts["rest"]) == (5.0, 3.0, 1.0, 2.0)


def test_a_page_that_cannot_be_drawn_takes_nothing_back(
    told: Told, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(told[0].url, tmp_path / "releases")
    params = Params.load(Path(__file__).parents[3] / "params.yaml")
    assert draw_chain(params, tmp_path) == tmp_path / CHAIN
    refused = Delivered(release=None, before=told[1][-1].id, moved=False)
    save_json(tmp_path / "models/release.json", {"passed": True})  # as a dry run leaves it
    (tmp_path / CHAIN).unlink()
    settle(params, refused, tmp_path)
    assert (tmp_path / CHAIN).is_file(), "a refused candidate is part of the history"
    (tmp_path / "releases/manifests/v000002.json").write_text("{}")
    assert draw_chain(params, tmp_path) is None
    assert "not drawn: Corrupt" in capsys.readouterr().out
