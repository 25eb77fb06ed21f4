"""Pages wait until the run is over; one that cannot be drawn is told of, and keeps nothing from being published."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks import pages
from tasks.pages import draw, draw_waiting, later


def test_each_is_drawn_once_whatever_the_others_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise OSError("no space left")

    drawn: list[int] = []
    for page in (lambda: drawn.append(1), broken, lambda: drawn.append(2)):
        later(page)
    assert not drawn
    draw_waiting()
    draw_waiting()
    assert drawn == [1, 2]
    assert capsys.readouterr().out == "a page in reports/ was not drawn: OSError: no space left\n"


def test_without_an_evaluation_there_is_no_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "measure_latencies", lambda params, root: {})
    (tmp_path / "params.yaml").write_text((Path(__file__).parents[2] / "params.yaml").read_text())
    draw(tmp_path)
    assert not (tmp_path / "reports").exists()
