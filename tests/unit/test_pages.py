"""Pages wait until the run is over; one that cannot be drawn is told of, and keeps nothing from being published."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "evaluate"))
from toy_exam import toy_params, toy_root

from openautoglm.evaluate import Evaluation
from openautoglm.files import save_json
from tasks.evaluate import evaluate
from tasks.pages import REPORT, draw, draw_waiting, later


def test_each_is_drawn_once_whatever_the_others_do(capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> None:
        raise OSError("no space left")

    drawn: list[int] = []
    later("first", lambda: drawn.append(0))
    later("second", broken)
    later("third", lambda: drawn.append(3))
    later("first", lambda: drawn.append(1))  # the stage was tried again
    assert not drawn
    draw_waiting()
    draw_waiting()
    assert drawn == [1, 3]
    assert capsys.readouterr().out == "reports/second: not written: OSError: no space left\n"


def test_the_report_is_drawn_anew_when_what_it_tells_of_is_another(tmp_path: Path) -> None:
    draw(tmp_path)
    assert not (tmp_path / "reports").exists(), "nothing to tell of"
    root = toy_root(tmp_path)
    evaluate(toy_params(), root)
    page = root / REPORT
    draw(root)
    page.write_text("as it was")
    draw(root)
    assert page.read_text() == "as it was", "it takes a second, and a sweep comes every few minutes"
    metrics = {"evaluation": Evaluation.load(root / "reports/evaluation.json").fingerprint}
    release = {"id": "v000001-abcdefabcdef", "passed": True, "kind": "full", "gates": [], "metrics": metrics}
    save_json(root / "models/release.json", release)
    draw(root)
    assert "Published as v000001-abcdefabcdef" in page.read_text()
    page.write_text("as it was")
    style = root / "openautoglm/evaluate/templates/report.css"
    style.parent.mkdir(parents=True)
    style.write_text("b { color: red }")
    draw(root)
    assert page.read_text() != "as it was", "another layout is another page"
    page.unlink()
    draw(root, missing=False)
    assert not page.exists(), "it was cleared, and the run failed before there was another exam"
    draw(root)
    assert page.is_file()
