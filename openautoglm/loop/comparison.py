"""Two releases side by side: metrics, classes, graphs, data, and which layers of the model differ.

told = compare(store.get(1), store.get(2), compare_layers(old_file, new_file))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openautoglm.params import flat
from openautoglm.release import Release
from openautoglm.release.layers import Layer

APART = ("batch/", "before/", "group/", "graph/")  # families of flat metrics that have tables of their own
Pair = list[Any]  # [before, after]; None: one of the two does not have it


def compare(old: Release, new: Release, layers: Sequence[Layer] | None = None) -> dict[str, Any]:
    """Everything that is known of both, JSON-able. Numbers come as [old, new]; shares and accuracies are 0-1.

    ``classes``: recall of those that both know and that changed. ``won`` and ``lost``: labels that only one of them has.
    """
    labels_before, labels_after = set(old.facts.get("labels") or []), set(new.facts.get("labels") or [])
    files_before, files_after = old.contents(), new.contents()
    metrics = _pairs(_numbers(old.metrics), _numbers(new.metrics))
    recall = _pairs(old.metrics.get("recall") or {}, new.metrics.get("recall") or {})
    return {
        "old": old.id,
        "new": new.id,
        "same_exam": old.metrics.get("exam") == new.metrics.get("exam"),
        "metrics": {
            name: pair for name, pair in metrics.items() if None not in pair and not name.startswith(APART)
        },
        "batches": _family(metrics, "batch/") or _family(metrics, "group/"),
        "graph": {name: pair for name, pair in _family(metrics, "graph/").items() if pair[0] != pair[1]},
        "classes": {name: pair for name, pair in recall.items() if None not in pair and pair[0] != pair[1]},
        "labels_added": sorted(labels_after - labels_before),
        "labels_removed": sorted(labels_before - labels_after),
        "data": _data(old, new),
        "files_changed": sorted(name for name in files_after if files_before.get(name) != files_after[name]),
        "files_removed": sorted(set(files_before) - set(files_after)),
        "params": _params(old, new),
        "layers": None if layers is None else [_layer(layer) for layer in layers],
        "kind": new.weights.kind,
        "sent": new.weights.own.size,
        "full": new.weights.size,
    }


def better_and_worse(classes: Mapping[str, Pair]) -> tuple[list[str], list[str]]:
    """Names of classes whose recall rose, and fell, the largest change first."""
    order = sorted(classes, key=lambda name: -abs(classes[name][1] - classes[name][0]))
    rose = [name for name in order if classes[name][1] > classes[name][0]]
    return rose, [name for name in order if name not in set(rose)]


def largest_changes(rows: Mapping[str, Pair]) -> list[str]:
    """Names of ``rows``, the largest change first, relative to what it was; from nothing to something is the largest."""

    def change(name: str) -> tuple[float, float]:
        before, after = (value or 0.0 for value in rows[name])
        moved = abs(after - before)
        return (moved / abs(before) if before else float("inf")), moved

    return sorted(rows, key=change, reverse=True)


def _data(old: Release, new: Release) -> dict[str, Any]:
    before, after = old.facts.get("data") or {}, new.facts.get("data") or {}
    had, has = before.get("batches") or [], after.get("batches") or []
    return {
        "documents": [before.get("documents"), after.get("documents")],
        "batches_added": [batch for batch in has if batch not in had],
        "batches_removed": [batch for batch in had if batch not in has],
    }


def _params(old: Release, new: Release) -> dict[str, Pair]:
    """Settings that differ; the pins, which differ from run to run, are told elsewhere."""
    pins = ("ingest.through", "train.parent")
    before, after = flat(old.facts.get("params") or {}), flat(new.facts.get("params") or {})
    changed = _pairs(before, after)
    return {name: pair for name, pair in changed.items() if pair[0] != pair[1] and name not in pins}


def _layer(layer: Layer) -> dict[str, Any]:
    share = round(layer.share, 6)
    return {
        "name": layer.name,
        "numbers": layer.size,
        "changed": layer.changed,
        "new": layer.new,
        "gone": layer.gone,
        "share": share,
    }


def _pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Pair]:
    return {name: [before.get(name), after.get(name)] for name in sorted({*before, *after})}


def _family(metrics: Mapping[str, Pair], prefix: str) -> dict[str, Pair]:
    return {name.removeprefix(prefix): pair for name, pair in metrics.items() if name.startswith(prefix)}


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if isinstance(value, int | float)}
