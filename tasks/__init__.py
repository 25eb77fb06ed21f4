"""One module per stage, each with one public function of the same name; `python -m tasks <stage>` runs it.

Importing this package is the first thing both doors do, so the environment that keeps every library quiet about its
users is set here, once, and inherited by whatever a stage starts.
"""

import os

STAGES = ("ingest", "validate", "graph", "train", "evaluate", "export", "publish")

QUIET = {
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "DVC_NO_ANALYTICS": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",  # its threads and our forked workers do not mix
}

for _name, _value in QUIET.items():
    os.environ.setdefault(_name, _value)
