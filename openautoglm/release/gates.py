"""What a candidate must pass before it may reach the store: the verdicts of the stages before, and publish's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from openautoglm.errors import Corrupt, WrongBase
from openautoglm.files import sha256_file
from openautoglm.release.node import rehearse
from openautoglm.release.release import WEIGHTS, Release
from openautoglm.release.store import ReleaseStore

Gate = dict[str, Any]  # name, kind (gate | warning), passed, value, bound, reason


def gate(
    name: str, passed: bool, reason: str, value: float | None = None, bound: float | None = None
) -> Gate:
    return {"name": name, "kind": "gate", "passed": passed, "value": value, "bound": bound, "reason": reason}


def refusing(gates: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the gates that say no; a warning never does."""
    return [str(one["name"]) for one in gates if one.get("kind", "gate") == "gate" and not one["passed"]]


def reported(
    validation: Mapping[str, Any], evaluation: Mapping[str, Any], parity: Mapping[str, Any]
) -> list[Gate]:
    """The verdicts of validate, evaluate and export, in that order."""
    ok, rows, aside = bool(validation.get("ok")), validation.get("rows", 0), validation.get("quarantined", 0)
    data = gate(
        "data",
        ok,
        f"{aside} of {rows} rows set aside; the corpus {'holds' if ok else 'fails'} its expectations.",
    )
    others = [*evaluation["gates"], *parity["gates"]]
    return [data, *({"kind": "gate", **one} for one in others)]


def same_weights(checkpoint: Path, onnx: Path) -> Gate:
    """What evaluate examined is what would be published."""
    same = sha256_file(checkpoint / WEIGHTS) == sha256_file(onnx / WEIGHTS)
    found = (
        "the weights that were examined"
        if same
        else "other weights than were examined; run the export stage again"
    )
    return gate("weights", same, f"models/onnx holds {found}.")


def not_worse_than_head(
    evaluation: Mapping[str, Any], head: Release | None, parent: str | None, margin: float
) -> list[Gate]:
    """Evaluate compared with the parent. If another release is in service by now, its recorded exam has a say too."""
    if head is None or head.id == parent:
        return []
    name = "not_worse_than_head"
    ours, theirs = evaluation["metrics"].get("accuracy"), head.metrics.get("accuracy")
    if ours is None or theirs is None or head.metrics.get("exam") != evaluation["exam"]:
        return [gate(name, True, f"{head.id} in service sat another exam, nothing to compare.")]
    passed = ours - theirs >= -margin - 1e-9
    reason = f"{ours:.1%} against {theirs:.1%} of {head.id} in service; up to {100 * margin:.1f} points may be lost."
    return [gate(name, passed, reason, round(ours - theirs, 6), -margin)]


def materialised(store: ReleaseStore, candidate: Path, known: Iterable[Mapping[str, Path]], to: Path) -> Gate:
    """Build the candidate the way nodes will, once from each set of ``known`` versions; every file must match."""
    release = Release.load(candidate / "manifest.json")
    routes = []
    try:
        for versions in known:
            routes.append(rehearse(store, candidate, dict(versions), to))
    except (Corrupt, WrongBase) as error:
        return gate("materialised", False, f"A node could not rebuild it: {error.message}")
    return gate(
        "materialised",
        True,
        f"Rebuilt by {' and by '.join(routes)}: all {len(release.contents())} files equal models/onnx byte for byte.",
    )
