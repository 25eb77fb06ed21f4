"""What ran, in MLflow: one parent run per pipeline run, one child per stage that ran; registry.py has the releases.

    with stage_run("train", params, root) as record:
        record(train(params, root))

MLflow holds numbers and pointers, no second copy of any weights. It is imported when a stage really runs, so a run
in which everything is cached never pays for it; and when it fails, the stage goes on and one line says so.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import re
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from openautoglm.errors import AutoGLMError
from openautoglm.files import fingerprint, load_json
from openautoglm.params import Params, flat
from openautoglm.processes import is_process, started
from tasks.code_key import CODE_KEYS
from tasks.dvc_lock import locked_stages, made

EXPERIMENT = "open-autoglm"
FLOW_RUN = "AUTOGLM_FLOW_RUN"  # set by the flow door: id of the Prefect run that the stages belong to
SWITCH = (
    "AUTOGLM_TRACKING"  # "off": nothing is recorded, and `dvc repro` saves MLflow's import in every stage
)
NOT_A_STAGE_FAULT = "tracking: not recorded, the run goes on"

Record = Callable[[Mapping[str, object]], None]
_PARENT = threading.Lock()
_STATES: dict[str, dict[str, str]] = {}  # pipeline run → stage → its last status in this process


@contextmanager
def stage_run(name: str, params: Params, root: Path) -> Iterator[Record]:
    """Record the block as a child run; call the yielded function with the facts that the stage returned."""
    facts: dict[str, object] = {}
    run = None if os.environ.get(SWITCH) == "off" else tried(lambda: _StageRun(name, params, root))
    status = "FAILED"
    try:
        yield facts.update
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    except BaseException as error:
        facts["error"] = (
            str(error).splitlines()[0] if isinstance(error, AutoGLMError) and str(error) else repr(error)
        )
        raise
    finally:
        if run is not None:
            tried(lambda: run.finish(facts, status))


class _StageRun:
    """An open child run, and its parent."""

    def __init__(self, name: str, params: Params, root: Path) -> None:
        self.name, self.params, self.root = name, params, root.resolve()
        self.client = client_of(self.root)
        experiment = _experiment(self.client, self.root)
        close_dead_runs(self.client, experiment)
        with _PARENT:  # of two stages that begin at once one makes it
            self.parent = _parent(self.client, experiment)
        tags = {
            "mlflow.parentRunId": self.parent,
            "mlflow.source.name": f"python -m tasks {name}",
            "stage": name,
        }
        tags |= _process_tags(os.getpid()) | self._fingerprints()
        self.run = self.client.create_run(experiment, run_name=name, tags=tags).info.run_id
        self._log_params()
        with _PARENT:  # last: from here on it is certain that `finish` is called
            self.client.update_run(self.parent, status="RUNNING")
            _STATES.setdefault(self.parent, {})[name] = "RUNNING"

    def _log_params(self) -> None:
        from mlflow.entities import Param

        section = self.params.model_dump(by_alias=True)[self.name]
        self.client.log_batch(
            self.run, params=[Param(key, str(value)) for key, value in flat(section).items()]
        )

    def _fingerprints(self) -> dict[str, str]:
        """sha256 of what the stage read, of its params and of its code."""
        section = self.params.model_dump(mode="json", by_alias=True)[self.name]
        tags = {"fingerprint.params": fingerprint(section)}
        code = self.root / CODE_KEYS / f"{self.name}.json"
        if code.is_file():
            tags["fingerprint.code"] = fingerprint(load_json(code))
        inputs = _inputs(self.root, self.name)
        return tags | ({"fingerprint.data": fingerprint(inputs)} if inputs else {})

    def finish(self, facts: Mapping[str, object], status: str) -> None:
        """Note facts and status; the pipeline run ends where this was the last stage under way, whatever else fails."""
        try:
            self._note(facts)
            self.client.set_terminated(self.run, status)
        finally:
            with _PARENT:
                states = _STATES[self.parent]
                states[self.name] = status
                if worst := _worst(states.values()):
                    self.client.set_terminated(self.parent, worst)

    def _note(self, facts: Mapping[str, object]) -> None:
        from mlflow.entities import Metric, RunTag

        now = int(time.time() * 1000)
        numbers = {
            k: v for k, v in flat(facts).items() if isinstance(v, int | float) and not isinstance(v, bool)
        }
        texts = {k: str(v)[:500] for k, v in flat(facts).items() if k not in numbers}
        metrics = [Metric(_key(k), float(v), now, 0) for k, v in numbers.items()]
        if self.name == "train":
            metrics += [
                Metric(_key(k), v, now, step) for k, v, step in _history(self.root / "reports/training.jsonl")
            ]
        for start in range(0, len(metrics), 1000):
            self.client.log_batch(self.run, metrics=metrics[start : start + 1000])
        self.client.log_batch(self.run, tags=[RunTag(_key(k), v) for k, v in texts.items()])
        if self.name == "evaluate" and numbers:
            self.client.log_batch(
                self.parent, metrics=[Metric(_key(k), float(v), now, 0) for k, v in numbers.items()]
            )


def _worst(states: Collection[str]) -> str:
    """What the pipeline run has come to, by its stages that ran in this process; empty while one of them runs."""
    if "RUNNING" in states:
        return ""
    return next((state for state in ("KILLED", "FAILED") if state in states), "FINISHED")


def tell(numbers: Mapping[str, float], root: Path) -> None:
    """Note ``numbers`` at the pipeline run: what was measured when its stages were over. Nothing where none of them ran."""
    if numbers and "mlflow" in sys.modules and os.environ.get(SWITCH) != "off":
        tried(lambda: _tell(numbers, root.resolve()))


def _tell(numbers: Mapping[str, float], root: Path) -> None:
    from mlflow.entities import Metric

    client, now = client_of(root), int(time.time() * 1000)
    if run := _found(client, _experiment(client, root), _door()[0]):
        client.log_batch(run, metrics=[Metric(_key(k), float(v), now, 0) for k, v in numbers.items()])


def run_page(root: Path) -> str:
    """Where this pipeline run is in MLflow's UI, as seen from the UI's address; empty where nothing of it was recorded."""
    if "mlflow" not in sys.modules or os.environ.get(SWITCH) == "off":
        return ""  # no stage ran, and importing it takes two seconds
    with suppress(Exception):
        client = client_of(root.resolve())
        experiment, (door, _) = _experiment(client, root.resolve()), _door()
        run = _found(client, experiment, door)
        return f"#/experiments/{experiment}/runs/{run}" if run else ""
    return ""


def close_dead_runs(client: Any, experiment: str) -> None:
    """Runs of this machine whose process is gone are over, whatever they last said."""
    for run in client.search_runs([experiment], "attributes.status = 'RUNNING'", max_results=200):
        tags = run.data.tags
        if tags.get("host") == platform.node() and not _is_alive(tags):
            client.set_terminated(run.info.run_id, "KILLED")


def client_of(root: Path) -> Any:
    """MLflow's client, for the server that was named or the checkout's own database."""
    from mlflow import MlflowClient

    for noisy in ("alembic", "mlflow", "mlflow.store.db.utils"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    uri = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlflow.db'}")
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _experiment(client: Any, root: Path) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        try:  # the location is said in full: the default depends on where the process happens to stand
            return str(
                client.create_experiment(EXPERIMENT, artifact_location=(root / "mlartifacts").as_uri())
            )
        except MlflowException:  # the other door was faster
            found = client.get_experiment_by_name(EXPERIMENT)
    return str(found.experiment_id)


def _parent(client: Any, experiment: str) -> str:
    """The parent run of this pipeline run: the flow's, or that of the `dvc` process above us."""
    door, pid = _door()
    if found := _found(client, experiment, door):
        return found
    tags = {"door": door, "mlflow.source.name": door.split(":")[0]} | _process_tags(pid)
    return str(client.create_run(experiment, run_name=f"pipeline {door}", tags=tags).info.run_id)


def _found(client: Any, experiment: str, door: str) -> str:
    """Id of the pipeline run of ``door``, empty where there is none."""
    found = client.search_runs([experiment], f"tags.door = '{door}'", max_results=1)
    return str(found[0].info.run_id) if found else ""


def _door() -> tuple[str, int]:
    import psutil

    if flow := os.environ.get(FLOW_RUN):
        return f"flow:{flow}", os.getpid()
    for process in psutil.Process().parents():
        command = [Path(part).name for part in process.cmdline()[:3]]
        if "dvc" in command:
            return f"dvc:{process.pid}-{started(process.pid):.0f}", process.pid
    return f"task:{os.getpid()}-{started(os.getpid()):.0f}", os.getpid()


def _process_tags(pid: int) -> dict[str, str]:
    return {"host": platform.node(), "pid": str(pid), "started": f"{started(pid):.2f}"}


def _is_alive(tags: Mapping[str, str]) -> bool:
    try:
        return is_process(int(tags["pid"]), float(tags["started"]))
    except (KeyError, ValueError):
        return False


def _inputs(root: Path, stage: str) -> dict[str, str]:
    """{path: DVC hash} of the stage's inputs that other stages made."""
    from ruamel.yaml import YAML

    outs = {path: md5 for entry in locked_stages(root).values() for path, md5 in made(entry).items()}
    if not outs:
        return {}
    deps = YAML(typ="safe").load((root / "dvc.yaml").read_text())["stages"][stage].get("deps", [])
    return {path: outs[path] for path in deps if path in outs}


def _history(path: Path) -> Iterator[tuple[str, float, int]]:
    """(name, value, step) of every number in the training log."""
    if not path.is_file():
        return
    for line in path.read_text().splitlines():
        row = json.loads(line)
        for key, value in row.items():
            if (
                key not in ("step", "epoch")
                and isinstance(value, int | float)
                and not isinstance(value, bool)
            ):
                yield (
                    f"{row['split']}/{key}" if "split" in row else key,
                    float(value),
                    int(row.get("step", 0)),
                )


def _key(name: str) -> str:
    return re.sub(r"[^\w./ -]", "_", name)


def tried(action: Callable[[], Any]) -> Any:
    """What ``action`` gives, or None and a line that says what went wrong."""
    try:
        return action()
    except Exception as error:
        first = (str(error).splitlines() or [""])[0]
        print(f"{NOT_A_STAGE_FAULT}: {type(error).__name__}: {first}", file=sys.stderr)
        return None
