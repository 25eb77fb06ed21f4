"""Toy: no line may be empty."""

from pathlib import Path

from openautoglm.errors import ValidationFailed
from openautoglm.files import load_json, save_json
from openautoglm.params import Params


def validate(params: Params, root: Path = Path()) -> dict[str, object]:
    text = (root / "data/corpus/part.txt").read_text()
    if "damaged" in text:
        raise ValidationFailed("validate: 1 row is damaged")
    for name in ("data/validated", "data/quarantine"):
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name / "part.txt").write_text(text if "valid" in name else "")
    batches = [{"batch": name} for name in load_json(root / "data/corpus/batches.json")]
    save_json(root / "reports/validation.json", {"ok": True, "batches": batches})
    return {"ok": True}
