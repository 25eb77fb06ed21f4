"""Back to what made a release: params.yaml, dvc.lock and every stage's outputs, as its manifest names them.

    python -m tasks checkout v000002

The manifest holds the params, the hash of every output, and the key of every stage's code; inputs are outputs of
earlier stages, and the inbox tells by the names of its entries whether it still holds what the release was made of.
So DVC finds each stage unchanged, unless its code or its batches are others by now.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openautoglm.errors import AutoGLMError, UserError
from openautoglm.files import fingerprint, load_json, save_json
from openautoglm.params import flat
from tasks.dvc_lock import locked_stages, save_stages

if TYPE_CHECKING:
    from openautoglm.params import Params
    from openautoglm.release import Release

PINS = ("ingest.through", "train.parent", "train.start")
OURS = ("ingest.inbox", "publish.store", "publish.channel")  # where things are, not what they are
METRICS = "reports/metrics.json"
ELSE = "0" * 32  # a hash that nothing has


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tasks checkout", allow_abbrev=False)
    parser.add_argument("release")
    parser.add_argument("--force", action="store_true")
    given = parser.parse_args(words)
    checkout(given.release, given.force)
    return 0


def checkout(ref: str, force: bool = False, root: Path = Path()) -> None:
    """Bring back data, params and model of release ``ref``.

    Raises:
        UserError: params.yaml has changes that no stage has run with, unless ``force``; nothing has changed then.
        UnknownRelease: the store has no such release.
        LeaseLost: a training is under way.
        AutoGLMError: DVC's cache has not all of it; what it has is there, and the model in any case.
    """
    from openautoglm.loop import hold
    from openautoglm.params import Params
    from openautoglm.params_file import set_values
    from tasks.__main__ import run_stage
    from tasks.deliver import LEDGER, store_of
    from tasks.stage import ensure

    params = Params.load(root / "params.yaml")
    release = store_of(params, root).get(ref)
    with hold(root / LEDGER, f"checkout {release.id}", wait=0, log=lambda _: None):
        values, held = wanted_params(release, params, root)
        lost = [] if force else changed_params(values, root)
        if lost:
            raise UserError(
                f"params.yaml: {', '.join(lost)} changed since the last run, and would be lost; "
                "run with it, take it back, or give --force"
            )
        set_values(root / "params.yaml", values)
        ensure("code", lambda: run_stage("code", root), root=root)
        other_code = write_lock(release, held, root)
        missing = bring_back(release, params, root)
    print(f"{release.id}: params.yaml, dvc.lock and what the stages made are as they were")
    if not held:
        print("the inbox no longer holds the batches it was made of: `ingest` would run anew")
    if other_code:
        print(f"the code of {', '.join(other_code)} is not the release's: a run would do them again")
    if missing:
        raise AutoGLMError(
            f"not in DVC's cache: {', '.join(missing)}; `dvc pull` fetches them where a remote has them, "
            "and a run makes them anew"
        )


def wanted_params(release: Release, params: Params, root: Path) -> tuple[dict[str, Any], bool]:
    """(values for params.yaml, whether the inbox still holds what the release was made of)."""
    from tasks.lineage import entries, named_by

    now = set(flat(params.model_dump(by_alias=True, mode="json")))
    then = flat(release.facts["params"])
    values = {name: value for name, value in then.items() if name in now and name not in OURS}
    found, seen = entries(params, root), named_by(release) or []
    held = bool(seen) and found[: len(seen)] == seen
    if held and found != seen:
        values["ingest.through"] = seen[-1]  # what came later is not read
    return values, held


def changed_params(values: Mapping[str, Any], root: Path) -> list[str]:
    """Names in params.yaml that are neither what the stages last ran with, nor what they are about to become."""
    from openautoglm.params import Params

    now = flat(Params.load(root / "params.yaml").model_dump(by_alias=True, mode="json"))
    ran: dict[str, Any] = {}
    for stage in locked_stages(root).values():
        ran |= flat(stage.get("params", {}).get("params.yaml", {}))
    return sorted(
        name
        for name in ran.keys() & now.keys() - {*PINS}
        if now[name] != ran[name] and now[name] != values.get(name, ran[name])
    )


def write_lock(release: Release, held: bool, root: Path) -> list[str]:
    """dvc.lock as of ``release``; returns the stages whose code is another by now."""
    from tasks.stage import opened

    outs = dict[str, str]()
    for made in release.facts["dvc_lock"].values():
        outs |= made
    other, stages = [], {"code": locked_stages(root)["code"]}
    with opened(root) as repo, repo.lock:
        for stage in repo.index.stages:
            if stage.name not in release.facts["dvc_lock"]:
                continue
            same = same_code(release, stage.name, root)
            other += [] if same else [stage.name]
            deps, params = {}, {}
            for dep in stage.deps:
                if hasattr(dep, "read_params"):
                    params[dep.def_path] = dep.read_params()
                elif dep.def_path in outs:
                    deps[dep.def_path] = outs[dep.def_path]
                else:  # the inbox, or the code
                    known = held if stage.name == "ingest" and dep.def_path != code_path(stage.name) else same
                    deps[dep.def_path] = dep.get_hash().value if known and dep.exists else ELSE
            made = {out.def_path: outs[out.def_path] for out in stage.outs if out.def_path in outs}
            stages[stage.name] = {
                "cmd": stage.cmd,
                "deps": _rows(deps),
                "params": params,
                "outs": _rows(made),
            }
        save_stages(root, stages)
    return other


def bring_back(release: Release, params: Params, root: Path) -> list[str]:
    """Outputs from DVC's cache, the model and the candidate from the store; returns what is in neither."""
    from openautoglm.release import materialise
    from tasks.deliver import put_back, store_of
    from tasks.publish import ONNX
    from tasks.stage import ensure, opened

    store = store_of(params, root)
    with opened(root) as repo:
        outs = [
            out
            for stage in repo.index.stages
            if stage.name in release.facts["dvc_lock"]
            for out in stage.outs
        ]
        cached = [out for out in outs if out.use_cache]
        missing = [out.def_path for out in cached if not _is_whole(repo.cache.local, out.hash_info.value)]
        for path in missing:
            shutil.rmtree(root / path, ignore_errors=True)
            (root / path).unlink(missing_ok=True)
        there = [out.fs_path for out in cached if out.def_path not in missing]
        if there:
            repo.checkout(targets=there, force=True)
    if METRICS in release.facts["dvc_lock"].get("evaluate", {}):  # DVC keeps no copy of it
        save_json(root / METRICS, _metrics(release, root / "reports/evaluation.json"))
    if ONNX in missing:
        materialise(store, release, root / ONNX)
        missing.remove(ONNX)
    if missing or not same_code(release, "publish", root):
        put_back(store, release, root)
    else:
        ensure("publish", lambda: put_back(store, release, root), root=root)
    return missing


def _metrics(release: Release, evaluation: Path) -> dict[str, Any]:
    """The published numbers: as the evaluation says them, else as the manifest does, which has more than those."""
    if evaluation.is_file():
        return dict(load_json(evaluation)["metrics"])
    more = ("exam", "evaluation")
    return {k: v for k, v in release.metrics.items() if k not in more and not isinstance(v, Mapping)}


def _is_whole(cache: Any, value: str | None) -> bool:
    """Whether the cache has an output; of a folder also each file in it."""
    if not value or not cache.exists(value):
        return False
    if not value.endswith(".dir"):
        return True
    return all(cache.exists(row["md5"]) for row in load_json(Path(cache.oid_to_path(value))))


def same_code(release: Release, stage: str, root: Path) -> bool:
    path, keys = root / code_path(stage), release.facts["code"]["keys"]
    return path.is_file() and fingerprint(load_json(path)) == keys.get(stage)


def code_path(stage: str) -> str:
    return f".autoglm/code/{stage}.json"


def _rows(hashes: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"path": path, "hash": "md5", "md5": value} for path, value in hashes.items()]
