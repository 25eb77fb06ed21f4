"""publish: models/onnx and every verdict → the candidate in models/release, and whether it may be published.

    python -m tasks publish

A candidate that a gate refuses is built all the same: the verdict is the result. What then happens in the release
store is tasks/deliver.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openautoglm.files import PARENTS
from tasks.deliver import CANDIDATE, put_back, store_of, write_result
from tasks.dvc_lock import locked_stages, made

if TYPE_CHECKING:
    from openautoglm.params import Params
    from openautoglm.release import Release, ReleaseStore

LIBRARIES = ("torch", "torch-geometric", "transformers", "onnx", "onnxruntime", "safetensors", "numpy")
LIBRARIES += ("zstandard", "pcodec", "blake3")
ONNX = "models/onnx"


def publish(params: Params, root: Path = Path(".")) -> Mapping[str, object]:
    """Write models/release and models/release.json; content that is in the store already keeps its version."""
    from openautoglm.files import load_json
    from openautoglm.release import gates
    from openautoglm.release.candidate import contents
    from openautoglm.release.release import files_fingerprint

    store = store_of(params, root)
    names = ("validation", "evaluation", "parity")
    validation, evaluation, parity = (load_json(root / f"reports/{name}.json") for name in names)
    head = store.head(params.publish.channel)
    found = [
        *gates.reported(validation, evaluation, parity),
        gates.same_weights(root / "models/checkpoint", root / ONNX),
        *gates.not_worse_than_head(evaluation, head, params.train.parent, params.evaluate.margin),
    ]
    known = store.find(files_fingerprint(contents(root / ONNX)))
    # what was taken back, while the channel went on, fits no more
    fits = known and (store.channels_of(known) or known.parent == (head.id if head else None))
    if known and fits and not gates.refusing(found):
        return put_back(store, known, root)
    release = _candidate(params, root, store, head, found, _facts(params, root, validation, evaluation))
    return write_result(root, release)


def _candidate(
    params: Params,
    root: Path,
    store: ReleaseStore,
    head: Release | None,
    found: list[dict[str, Any]],
    facts: dict[str, Any],
) -> Release:
    """Build models/release, rebuild it the way a node would, and let the rebuilt files answer the canary."""
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from openautoglm.export.session import check_canary
    from openautoglm.release import build, gates, keep_rehearsed

    base, anchor = _held(store, head, root), None
    if head and len(head.weights.chain) > 1:
        anchor = _held(store, store.get(head.weights.chain[0].release), root)
    out = root / CANDIDATE
    release = build(
        root / ONNX,
        head,
        base,
        out,
        version=store.next_version(),
        anchor_every=params.publish.anchor_every,
        anchor_dir=anchor,
        **facts,
    )
    known = [{head.id: base}] if head and base else [{}]
    if release.weights.catchup and anchor:
        known.append({release.weights.chain[0].release: anchor})
    with TemporaryDirectory(dir=_state(root)) as folder:
        rebuilt = Path(folder) / "release"
        found = [*found, gates.materialised(store, out, known, rebuilt)]
        if found[-1]["passed"]:
            found.append({"kind": "gate", **check_canary(rebuilt)})
            if not gates.refusing(found) and not os.environ.get("DVC_EXP_NAME"):  # an experiment is no parent
                keep_rehearsed(rebuilt, _state(root) / release.id)  # the next run's parent
    release = replace(release, facts={**release.facts, "gates": found})
    release.save(out / "manifest.json")
    return release


def _held(store: ReleaseStore, release: Release | None, root: Path) -> Path | None:
    from openautoglm.release import materialise

    return materialise(store, release, _state(root) / release.id) if release else None


def _state(root: Path) -> Path:
    folder = root / PARENTS
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _facts(
    params: Params, root: Path, validation: Mapping[str, Any], evaluation: Mapping[str, Any]
) -> dict[str, Any]:
    """Where it all came from; no times, no paths, no run ids."""
    from importlib.metadata import version

    from openautoglm import __version__
    from openautoglm.files import fingerprint, load_json

    training, config = (
        load_json(root / "models/checkpoint/training.json"),
        load_json(root / ONNX / "config.json"),
    )
    keys = {
        path.stem: fingerprint(load_json(path)) for path in sorted((root / ".autoglm/code").glob("*.json"))
    }
    names = ("corpus", "graphs", "documents", "valid_documents", "batches", "mode")
    return {
        "metrics": {
            **evaluation["metrics"],
            "exam": evaluation["exam"],
            "evaluation": evaluation["fingerprint"],
            "recall": {
                row["label"]: row["recall"] for row in evaluation.get("classes") or [] if row["support"]
            },
        },
        "data": {
            **{name: training.get(name) for name in names},
            "entries": _entries(params, root, validation),
            "drift": _drift(root / "reports/drift.json"),
        },
        # where batches come from changes nothing in them
        "params": params.model_dump(by_alias=True, mode="json", exclude={"ingest": {"source", "remote"}}),
        "dvc_lock": {
            name: made(entry)
            for name, entry in locked_stages(root).items()
            if name not in ("code", "publish")
        },
        "code": {"version": __version__, "keys": keys},
        "libraries": {name: version(name) for name in LIBRARIES},
        "canary": load_json(root / ONNX / "canary.json"),
        "labels": sorted(config["label2id"]),
    }


def _entries(params: Params, root: Path, validation: Mapping[str, Any]) -> list[str]:
    """Entries of the inbox that the corpus was made of; what arrived since ingest read it was not learnt."""
    from openautoglm.corpus.inbox import batch_name
    from tasks.lineage import entries

    read = {row["batch"] for row in validation["batches"]}
    return [name for name in entries(params, root, params.ingest.through) if batch_name(name) in read]


def _drift(path: Path) -> dict[str, Any] | None:
    """What evaluate measured of the newest batch: {batch, measures: {name: [value, bound]}}."""
    from openautoglm.files import load_json

    found = load_json(path) if path.is_file() else {}
    if not found.get("batch"):
        return None
    measures = {row["name"]: [row["value"], row["bound"]] for row in found["measures"]}
    return {"batch": found["batch"], "measures": measures}
