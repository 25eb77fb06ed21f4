"""infra/k8s, as far as it can be checked without a cluster."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.events.schemas.automations import AutomationCore
from prefect.utilities.templating import apply_values, find_placeholders

from openautoglm.files import LEDGER
from openautoglm.params import Params

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "infra/k8s"
TEMPLATE: dict[str, Any] = json.loads((FOLDER / "job-template.json").read_text())
MANIFEST = TEMPLATE["job_configuration"]["job_manifest"]
POD = MANIFEST["spec"]["template"]["spec"]


def documents() -> list[dict[str, Any]]:
    """What kubectl is given: the job, with its variables' defaults, and every YAML file but Prefect's automations."""
    defaults = {name: one["default"] for name, one in TEMPLATE["variables"]["properties"].items()}
    found: list[dict[str, Any]] = [apply_values(MANIFEST, defaults)]
    for path in sorted(FOLDER.glob("*.yaml")):
        found += [one for one in yaml.safe_load_all(path.read_text()) if "automations" not in one]
    return found


def automations() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((FOLDER / "heartbeat.yaml").read_text())["automations"]
    return found


def test_the_job_template_names_its_own_variables_and_no_others() -> None:
    used = {placeholder.name for placeholder in find_placeholders(TEMPLATE["job_configuration"])}
    assert used == TEMPLATE["variables"]["properties"].keys()
    kinds = {"string": str, "object": dict}
    for name, one in TEMPLATE["variables"]["properties"].items():
        assert isinstance(one["default"], kinds[one["type"]]), f"{name}: a run that sets nothing gets this"


@pytest.mark.parametrize("document", documents(), ids=lambda one: str(one.get("kind")))
def test_every_document_says_what_it_is(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"(\w+/)?v\d\w*", document["apiVersion"])
    assert document["kind"] in ("Job", "PersistentVolumeClaim")
    name = document["metadata"].get("name") or document["metadata"].get("generateName")
    assert re.fullmatch("[a-z0-9][a-z0-9-]*", name)


def test_what_is_mounted_is_a_volume_of_the_pod_and_the_claim_beside_it() -> None:
    job, *others = documents()
    [volume] = job["spec"]["template"]["spec"]["volumes"]
    assert {mount["name"] for one in POD["containers"] for mount in one["volumeMounts"]} == {volume["name"]}
    [claim] = [one for one in others if one["kind"] == "PersistentVolumeClaim"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"], "SQLite in WAL mode needs one kernel"


def test_the_volume_lies_where_a_run_writes_and_hides_no_code() -> None:
    params, [container] = Params.load(ROOT / "params.yaml"), POD["containers"]
    kept = (params.ingest.inbox, params.publish.store, ".dvc/cache", LEDGER.parent)
    mounts = container["volumeMounts"]
    assert sorted(mount["mountPath"] for mount in mounts) == sorted(f"/app/{path}" for path in kept)
    assert len({mount["subPath"] for mount in mounts}) == len(mounts), "no two in one folder"
    assert f"WORKDIR {container['workingDir']}" in (ROOT / "infra/Dockerfile").read_text().splitlines()


def test_the_automations_are_what_prefect_reads() -> None:
    for raw in automations():
        read = AutomationCore.model_validate(raw)
        assert read.trigger.model_dump(include=raw["trigger"].keys()).keys() == raw["trigger"].keys()
        assert [action.type for action in read.actions] == ["change-flow-run-state"]


def test_no_run_that_ended_well_is_waited_for() -> None:
    """The event of an end is called by its state's name, and some of our flows' states have names of their own."""
    [raw] = automations()
    ours = set()
    for path in (ROOT / "flows").glob("*.py"):
        if path.name != "steps.py":  # those are tasks
            ours |= set(re.findall(r'Completed\(name="(\w+)"', path.read_text()))
    assert ours
    for name in {"Completed", "Failed", "Crashed", "Cancelled"} | ours:
        assert f"prefect.flow-run.{name}" in raw["trigger"]["expect"]


def test_its_readme_names_files_that_are_there() -> None:
    text = (FOLDER / "README.md").read_text()
    named = set(re.findall(r"infra/[\w./-]+", text))
    assert {f"infra/k8s/{path.name}" for path in FOLDER.iterdir()} - {"infra/k8s/README.md"} <= named
    for path in named:
        assert (ROOT / path).is_file(), path


def test_the_pool_of_every_deployment_is_renamed_as_the_readme_says() -> None:
    old, new = re.findall(r"sed 's/(.+)/(.+)/' prefect.yaml", (FOLDER / "README.md").read_text())[0]
    renamed = yaml.safe_load((ROOT / "prefect.yaml").read_text().replace(old, new))
    pools = {one["work_pool"]["name"] for one in renamed["deployments"]}
    assert pools == {"cluster"}
    assert f"work-pool create {pools.pop()} " in (FOLDER / "README.md").read_text()
