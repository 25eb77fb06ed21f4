"""Toy: a training state is all that there is to forget."""

import os
import shutil
import signal

from openautoglm.train.job import Job


def keep_only(job: Job) -> int:
    if os.environ.get("TOY_KILL") == "purge":
        os.kill(os.getpid(), signal.SIGKILL)
    shutil.rmtree(job.runs, ignore_errors=True)
    return 0
