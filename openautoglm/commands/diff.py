"""autoglm diff"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from openautoglm.commands._store import megabytes, open_store
from openautoglm.files import PARENTS

if TYPE_CHECKING:
    from openautoglm.release import Release, ReleaseStore
    from openautoglm.release.layers import Layer

FEW = 8  # classes or settings that a terminal shows
GRAPHS = 5  # counts of the graphs


@click.command(epilog="Example: autoglm diff v000001 v000002 --html diff.html")
@click.argument("old")
@click.argument("new")
@click.option("--store", metavar="URL", help="Folder or URL of the release store; default: params.yaml's.")
@click.option("--quick", is_flag=True, help="From the manifests alone: no weights are fetched or compared.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write it as a page there.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(old: str, new: str, store: str | None, quick: bool, html: Path | None, as_json: bool) -> None:
    """What changed between two releases: metrics, classes, data, graphs, layers, and what a node has to fetch."""
    from openautoglm.loop.comparison import compare

    found, _ = open_store(store)
    before, after = found.get(old), found.get(new)
    told = compare(before, after, None if quick else _layers(found, before, after, store is None))
    if html:
        from openautoglm.evaluate.report import page
        from openautoglm.files import write_atomic
        from openautoglm.loop.comparison import better_and_worse

        rose, fell = better_and_worse(told["classes"])
        html.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(html, page("diff.html.j2", told=told, rose=rose, fell=fell).encode())
        click.echo(f"{html} shows {before.id} against {after.id}")
        return
    click.echo(json.dumps(told, indent=2) if as_json else "\n".join(_lines(told)))


def _layers(store: ReleaseStore, old: Release, new: Release, in_checkout: bool) -> list[Layer]:
    """Both versions as files: a checkout keeps those that it once had, elsewhere they are gone afterwards."""
    from tempfile import TemporaryDirectory

    from openautoglm.commands._checkout import root
    from openautoglm.release import materialise
    from openautoglm.release.layers import compare

    if old.weights.sha256 == new.weights.sha256:
        return []
    with TemporaryDirectory() as scratch:
        kept = root() / PARENTS if in_checkout else Path(scratch)
        kept.mkdir(parents=True, exist_ok=True)
        files = [materialise(store, one, kept / one.id) / one.weights.file for one in (old, new)]
        return compare(files[0], files[1])


def _lines(told: dict[str, Any]) -> Iterator[str]:
    from openautoglm.loop.comparison import better_and_worse

    yield f"{told['old']} -> {told['new']}" + ("" if told["same_exam"] else "   (they sat different exams)")
    yield from _numbers("metrics", told["metrics"], "9.4f", "+.4f")
    yield from _numbers("accuracy by batch", told["batches"], "9.4f", "+.4f")
    rose, fell = better_and_worse(told["classes"])
    for name, labels in (("recall rose", rose), ("recall fell", fell)):
        shown = [
            f"{label} {told['classes'][label][0]:.2f} -> {told['classes'][label][1]:.2f}" for label in labels
        ]
        yield from _listed(name, shown)
    for name in ("labels_added", "labels_removed"):
        yield from _listed(name.replace("_", " "), told[name])
    for name in ("batches_added", "batches_removed"):
        yield from _listed(name.replace("_", " "), told["data"][name])
    yield from _graphs(told["graph"])
    yield from _listed("settings", [f"{name} {a} -> {b}" for name, (a, b) in told["params"].items()])
    if told["layers"] is not None:
        yield "  share of changed weights" if told["layers"] else "  the weights are the same"
    for layer in told["layers"] or []:
        new = f", {layer['new']:,} of them new" if layer["new"] else ""
        gone = f"; {layer['gone']:,} are gone" if layer["gone"] else ""
        yield f"    {layer['name']:<28} {layer['share']:>7.2%} of {layer['numbers']:,}{new}{gone}"
    for name in ("files_changed", "files_removed"):
        yield from _listed(name.replace("_", " "), told[name])
    share = f"{megabytes(told['sent'])} {told['kind']}, {told['full'] / max(told['sent'], 1):.1f}x under the full file"
    yield f"  {'weights sent':<24} {share}"


def _graphs(counts: Mapping[str, list[Any]]) -> Iterator[str]:
    """The few counts that changed most, by their own size."""
    from openautoglm.loop.comparison import largest_changes

    names = largest_changes(counts)
    yield from _numbers("graphs", {name: counts[name] for name in names[:GRAPHS]}, "9,.0f", "+,.0f")
    if len(names) > GRAPHS:
        yield f"    and {len(names) - GRAPHS} more: --json, --html FILE"


def _numbers(title: str, rows: Mapping[str, list[Any]], form: str, change: str) -> Iterator[str]:
    if rows:
        yield f"  {title}"
    for name, (before, after) in rows.items():
        shown = [f"{'-' if value is None else format(value, form):>9}" for value in (before, after)]
        difference = "" if None in (before, after) else f"  {format(after - before, change)}"
        yield f"    {name:<28} {shown[0]} -> {shown[1]}{difference}"


def _listed(title: str, names: list[str]) -> Iterator[str]:
    if names:
        more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
        yield f"  {title:<24} {', '.join(names[:FEW])}{more}"
