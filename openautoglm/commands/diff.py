"""autoglm diff"""

from __future__ import annotations

import json
from typing import Any

import click

from openautoglm.commands._store import megabytes, open_store
from openautoglm.release import Release


@click.command(epilog="Example: autoglm diff v000001 v000002")
@click.argument("old")
@click.argument("new")
@click.option("--store", metavar="URL", help="Folder or URL of the release store; default: params.yaml's.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(old: str, new: str, store: str | None, as_json: bool) -> None:
    """What changed between two releases: metrics, labels, files, and what a node has to fetch."""
    found, _ = open_store(store)
    told = _compare(found.get(old), found.get(new))
    click.echo(json.dumps(told, indent=2) if as_json else "\n".join(_lines(told)))


def _compare(old: Release, new: Release) -> dict[str, Any]:
    before, after = old.contents(), new.contents()
    labels_before, labels_after = set(old.facts.get("labels") or []), set(new.facts.get("labels") or [])
    numbers = [
        name
        for name in sorted(set(old.metrics) & set(new.metrics))
        if isinstance(new.metrics[name], (int, float)) and isinstance(old.metrics[name], (int, float))
    ]
    return {
        "old": old.id,
        "new": new.id,
        "metrics": {name: [old.metrics[name], new.metrics[name]] for name in numbers},
        "labels_added": sorted(labels_after - labels_before),
        "labels_removed": sorted(labels_before - labels_after),
        "files_changed": sorted(name for name in after if before.get(name) != after[name]),
        "files_removed": sorted(set(before) - set(after)),
        "kind": new.weights.kind,
        "sent": new.weights.own.size,
        "full": new.weights.size,
    }


def _lines(told: dict[str, Any]) -> list[str]:
    lines = [f"{told['old']} -> {told['new']}"]
    for name, (before, after) in told["metrics"].items():
        lines.append(f"  {name:<24} {before:>9.4f} -> {after:>9.4f}  {after - before:+.4f}")
    for name in ("labels_added", "labels_removed", "files_changed", "files_removed"):
        if told[name]:
            lines.append(f"  {name.replace('_', ' '):<24} {', '.join(told[name])}")
    share = f"{megabytes(told['sent'])} {told['kind']}, {told['full'] / max(told['sent'], 1):.1f}x under the full file"
    return [*lines, f"  {'weights':<24} {share}"]
