"""Releases in MLflow's registry: one model version per candidate that was delivered, and aliases that follow the store.

MLflow holds pointers and tags; the weights stay in the release store.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from openautoglm.params import Params
from tasks.deliver import recorded, store_of
from tasks.tracking import EXPERIMENT, SWITCH, client_of

MODEL = "open-autoglm"


def register(params: Params, root: Path, is_refused: bool = False) -> None:
    """Registry and store agree: a version per candidate; `champion` is in service, `previous` was, `challenger` is refused.

    ``is_refused``: the candidate is, though its content may be what is in service.

    Raises:
        MlflowException, OSError: MLflow is down or its disk full.
    """
    if os.environ.get(SWITCH) == "off":
        return
    client, store = client_of(root.resolve()), store_of(params, root)
    record, head = recorded(root), store.head(params.publish.channel)
    in_service = not is_refused and head is not None and head.fingerprint == record["fingerprint"]
    version = _model_version(client, params, root, record, in_service)
    aliases = client.get_registered_model(MODEL).aliases
    champion = aliases.get("champion")
    if not in_service:
        client.set_registered_model_alias(MODEL, "challenger", version)
    elif champion != version:
        if champion:
            client.set_registered_model_alias(MODEL, "previous", champion)
        client.set_registered_model_alias(MODEL, "champion", version)
        if "challenger" in aliases:
            client.delete_registered_model_alias(MODEL, "challenger")


def champion(params: Params, root: Path) -> None:
    """After a rollback: `champion` is what the channel points at, `previous` what it pointed at before."""
    if os.environ.get(SWITCH) == "off":
        return
    from mlflow.exceptions import MlflowException

    client, head = client_of(root.resolve()), store_of(params, root).head(params.publish.channel)
    found = {v.tags.get("release"): v.version for v in client.search_model_versions(f"name='{MODEL}'")}
    version = found.get(head.id) if head else None
    if version is None:
        return  # published while tracking was off
    with suppress(MlflowException):
        before = client.get_registered_model(MODEL).aliases.get("champion")
        if before and before != version:
            client.set_registered_model_alias(MODEL, "previous", before)
    client.set_registered_model_alias(MODEL, "champion", version)


def _model_version(
    client: Any, params: Params, root: Path, record: Mapping[str, Any], in_service: bool
) -> Any:
    from mlflow.exceptions import MlflowException

    with suppress(MlflowException):  # it is there
        client.create_registered_model(MODEL, description="Releases; the weights stay in their store.")
    for version in client.search_model_versions(f"name='{MODEL}'"):
        if version.tags.get("release") == record["id"]:
            return version.version
    store = params.publish.store
    location = store if "://" in store else (root / store).resolve().as_uri()
    source = f"{location}/manifests/v{record['version']:06d}.json" if in_service else location
    tags = {key: str(record.get(key)) for key in ("fingerprint", "parent", "passed")} | {
        "release": record["id"]
    }
    return client.create_model_version(MODEL, source, _run_of(client, record), tags=tags).version


def _run_of(client: Any, record: Mapping[str, Any]) -> str | None:
    """The child run whose `publish` made this candidate; None: tracking was off then."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        return None
    query = f"tags.stage = 'publish' and tags.fingerprint = '{record['fingerprint']}'"
    found = client.search_runs([experiment.experiment_id], query, max_results=1)
    return str(found[0].info.run_id) if found else None
