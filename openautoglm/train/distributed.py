"""Several processes on one machine: torch elastic starts them, DDP joins their gradients, the checkpoints join restarts.

    python -m openautoglm.train.distributed JOB.json        # what each rank runs; elastic sets RANK, WORLD_SIZE …

The job travels as a JSON file, not as a pickled function. A killed rank takes the group down with it; elastic starts
the group again and it goes on from the last checkpoint. A rank dies with the process that launched it.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from openautoglm import errors
from openautoglm.errors import AutoGLMError, ParamsError, TrainingFailed
from openautoglm.files import load_json, save_json
from openautoglm.processes import end_with_parent
from openautoglm.train.group import Group
from openautoglm.train.job import Job

TIMEOUT = timedelta(
    seconds=60
)  # of a collective: a lost peer must not hold the others for the default half hour
JOB, FAILURE = "job.json", "failure.json"


def launch(job: Job) -> None:
    """Run ``fit`` in ``params.world_size`` processes; returns when ``job.state/final`` is there.

    Raises:
        ParamsError: more processes than GPUs, on a machine that has some.
        TrainingFailed: the group failed more than ``params.max_restarts`` times.
        AutoGLMError: what a rank raised on purpose; never retried.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    params = job.params
    _check_devices(params.world_size)
    spec, failure = job.state / JOB, job.state / FAILURE
    failure.unlink(missing_ok=True)
    job.save(spec)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=params.world_size,
        run_id=job.key[:32],
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",
        max_restarts=params.max_restarts,
        monitor_interval=0.2,
    )
    try:
        elastic_launch(config, sys.executable)("-m", __name__, str(spec))
    except ChildFailedError as error:
        rank, first = error.get_first_failure()
        raise TrainingFailed(
            f"training stopped after {params.max_restarts} restarts: rank {rank} ended with exit code "
            f"{first.exitcode}; its output is above, the state is in {job.state}",
            rank=rank,
            exit_code=first.exitcode,
        ) from None
    if failure.is_file():
        raise _raised(failure)


def _check_devices(world_size: int) -> None:
    import torch

    if torch.cuda.is_available() and world_size > (found := torch.cuda.device_count()):
        raise ParamsError(
            f"train.world_size: {world_size} processes, but this machine has {found} GPU{'s' * (found > 1)}, one a "
            "process; lower it, or hide the GPUs with CUDA_VISIBLE_DEVICES= to train on the processor"
        )


def work(spec: Path) -> None:
    """The body of one rank. An error raised on purpose is written down and ends the rank well: no restart mends it."""
    end_with_parent(by=signal.SIGKILL)
    job = Job.load(spec)
    try:
        _fit(job)
    except AutoGLMError as error:
        save_json(job.state / FAILURE, [type(error).__name__, error.message, error.facts])


def _fit(job: Job) -> None:
    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    from openautoglm.train.loop import fit

    rank, local = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(local)
    else:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all ranks are on this machine
    world_size = int(os.environ["WORLD_SIZE"])
    dist.init_process_group(
        "nccl" if gpu else "gloo", store=_store(rank), rank=rank, world_size=world_size, timeout=TIMEOUT
    )
    group = Group(rank, world_size, local)
    fit(job, group, wrap=lambda model: DistributedDataParallel(model, device_ids=[local] if gpu else None))
    dist.destroy_process_group()


def _store(rank: int) -> Any:
    """Where the ranks leave each other their addresses: the launcher's store, a part of it for each start.

    Without its own part a restarted group reads the addresses of the dead one and wastes a restart on them.
    """
    import torch.distributed as dist

    hosts = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(address, port, is_master=hosts, timeout=TIMEOUT)  # type: ignore[attr-defined]
    return dist.PrefixStore(f"start-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)  # type: ignore[attr-defined]


def _raised(failure: Path) -> AutoGLMError:
    name, message, facts = load_json(failure)
    kind = getattr(errors, name, TrainingFailed)
    error: AutoGLMError = kind(message, **facts)
    return error


if __name__ == "__main__":
    work(Path(sys.argv[1]))
