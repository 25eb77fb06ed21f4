"""Toy: everything is right, unless the bound asks for more; a last line with `strange` in it has drifted."""

import time
from pathlib import Path

from openautoglm.files import save_json
from openautoglm.params import Params


def evaluate(params: Params, root: Path = Path()) -> dict[str, object]:
    if (root / "meet").is_file():  # export has to be under way as well
        until = time.monotonic() + 30
        while "export" not in (root / "calls").read_text():
            assert time.monotonic() < until, "export waits for evaluate"
            time.sleep(0.02)
    passed = params.evaluate.min_accuracy <= 0.9
    gate = {
        "name": "accuracy",
        "kind": "gate",
        "passed": passed,
        "value": 0.9,
        "bound": params.evaluate.min_accuracy,
        "reason": "0.9",
    }
    save_json(root / "reports/metrics.json", {"accuracy": 0.9})
    evaluation = {"metrics": {"accuracy": 0.9}, "exam": "e", "fingerprint": "f", "gates": [gate]}
    save_json(root / "reports/evaluation.json", evaluation)
    save_json(root / "reports/drift.json", _drift((root / "data/validated/part.txt").read_text()))
    plots = root / "reports/plots"
    plots.mkdir(parents=True, exist_ok=True)
    (plots / "confusion.csv").write_text("actual,predicted\na,a\nb,a\n")
    (plots / "reliability.csv").write_text("confidence,accuracy,count\n0.5,0.4,3\n0.9,0.9,5\n")
    (plots / "training.csv").write_text("epoch,step,train_loss,valid_loss\n1,1,0.5,0.6\n1,2,0.4,0.7\n")
    (plots / "slices.csv").write_text("slice,accuracy,count\nshort,0.9,3\n")
    return {"accuracy": 0.9}


def _drift(text: str) -> dict[str, object]:
    """What the real stage writes, as far as anybody reads it."""
    strange = "strange" in text.splitlines()[-1]
    rows = (("words", 0.4 if strange else 0.0, strange), ("lengths", 0.1, False))
    measures = [
        {"name": name, "value": value, "bound": 0.15, "drifted": over, "text": "of toys"}
        for name, value, over in rows
    ]
    return {"batch": None, "measures": measures, "drifted": ["words"] if strange else []}
