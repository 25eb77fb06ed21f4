"""Run one stage: the `cmd` of every stage in dvc.yaml.

    python -m tasks train          the stage, with params.yaml of this folder
    python -m tasks code           the code keys that the stages depend on
    python -m tasks why train      what made it run, or would
    python -m tasks status --json  which stages would run
    python -m tasks checkout v2    back to what made a release
    python -m tasks follow         MLflow's aliases and reports/chain.html follow the store's pointer, after a rollback

A user's fault is one line on stderr and exit code 2; a gate that says no is exit code 1.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from openautoglm.errors import AutoGLMError, UserError
from tasks import STAGES
from tasks.code_key import write_code_keys


def run_stage(name: str, root: Path = Path()) -> Mapping[str, object]:
    """Run stage ``name`` on ``params.yaml`` under ``root``, recorded in MLflow; return its facts."""
    if name == "code":
        write_code_keys(root)
        return {}
    from openautoglm.params import Params
    from tasks.tracking import stage_run
    from tasks.why import remember

    params = Params.load(root / "params.yaml")
    function: Callable[[Params, Path], Mapping[str, object]] = getattr(import_module(f"tasks.{name}"), name)
    remember(name, root)
    with stage_run(name, params, root) as record:
        facts = function(params, root)
        record(facts)
    return facts


def follow_head(root: Path = Path()) -> None:
    """MLflow's `champion` is what the channel points at, and the chain page says so, also when it moves again meanwhile."""
    from openautoglm.params import Params
    from tasks.deliver import draw_chain, store_of
    from tasks.registry import champion
    from tasks.tracking import tried

    params, seen = Params.load(root / "params.yaml"), None
    channel = params.publish.channel
    while (head := store_of(params, root).head(channel)) and head.id != seen:
        seen = head.id
        draw_chain(params, root)
        if os.environ.get("MLFLOW_TRACKING_URI") or (root / "mlflow.db").is_file():
            tried(lambda: champion(params, root))


def main(arguments: list[str]) -> int:
    name, *rest = arguments or [""]
    try:
        if name in ("why", "status"):
            from tasks.why import main as explain

            return explain(name, rest)
        if name == "checkout":
            from tasks.checkout import main as bring_back

            return bring_back(rest)
        if name == "follow" and not rest:
            follow_head()
            return 0
        if name not in (*STAGES, "code") or rest:
            raise UserError(
                f"python -m tasks: expected one of code, {', '.join(STAGES)}, found {' '.join(arguments)!r}"
            )
        run_stage(name)
        if name == "publish":
            from openautoglm.params import Params
            from tasks.deliver import deliver_now

            deliver_now(Params.load())
        from tasks.pages import draw, measure

        if name == "export":
            measure()
        draw()
    except AutoGLMError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    # worker processes that a stage starts must find the project the same way
    sys.path[0] = str(Path.cwd())
    sys.exit(main(sys.argv[1:]))
