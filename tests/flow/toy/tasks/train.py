"""Toy: a sum over epochs, on from the parent's, with a checkpoint after each."""

import os
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from openautoglm.files import fingerprint, load_json, save_json
from openautoglm.params import Params


def train(params: Params, root: Path = Path()) -> dict[str, object]:
    graphs = load_json(root / "data/graphs/graphs.json")
    key = fingerprint([params.train.model_dump(), graphs])
    checkpoint = root / ".autoglm/train" / key / "state.json"
    start = int((params.train.parent or "0")[-6:], 16)
    state = load_json(checkpoint) if checkpoint.is_file() else {"epoch": 0, "sum": start}
    with (root / "calls").open("a") as calls:
        calls.write(f"train from {state['epoch']}\n")
    while state["epoch"] < params.train.epochs:
        time.sleep(float(os.environ.get("TOY_EPOCH_SECONDS", "0")))
        state = {"epoch": state["epoch"] + 1, "sum": state["sum"] * 31 % 1009 + sum(graphs)}
        save_json(checkpoint, state)
    folder = root / "models/checkpoint"
    save_json(folder / "training.json", {"documents": len(graphs)})
    weights = np.random.default_rng(state["sum"]).normal(size=(8, 16)).astype(np.float32)
    save_file({"sum": np.array([state["sum"]], np.int64), "weights": weights}, folder / "model.safetensors")
    (root / "reports").mkdir(exist_ok=True)
    (root / "reports/training.jsonl").write_text('{"epoch": 1, "step": 1, "split": "train", "loss": 0.5}\n')
    return {"epochs": state["epoch"]}
