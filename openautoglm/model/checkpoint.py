"""Checkpoint: a folder with canonical weights, config and tokenizer. What it holds is what everybody sees.

The weights on disk are bf16(the trainer's fp32 master), or what `train.weights` says; evaluation, export and serving
read these and never the master, so that a published number belongs to the published bytes (docs/architecture.md).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.overrides import TorchFunctionMode

from openautoglm.errors import Corrupt, UserError
from openautoglm.files import fingerprint, fingerprint_dir, fresh_dir, load_json, save_json
from openautoglm.model.adapters import Adapter, build_adapter
from openautoglm.model.autoglm import AutoGLMModel
from openautoglm.model.backbone import load_tokenizer
from openautoglm.model.config import AutoGLMConfig
from openautoglm.model.scope import SCOPE, Scope

WEIGHTS = "model.safetensors"
HEAD = "adapter."  # of the names of the task adapter's tensors
FACTS = "training.json"
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
# what the config says of all but the adapter
BODY = ("backbone_config", "node_types", "edge_types", "graph_layers", "graph_size", "graph_heads", "max_tokens", "text_only")  # fmt: skip
# what a node needs besides weights and graph; Hugging Face's own names
MODEL_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class Checkpoint:
    """``path`` holds model.safetensors (canonical weights), config.json, tokenizer files, training.json and, once a
    threshold is set on the valid split, scope.json.
    """

    path: Path
    config: AutoGLMConfig
    training: dict[str, Any]

    def __repr__(self) -> str:
        return f"Checkpoint({self.path}, {len(self.config.labels)} labels, {self.training.get('parameters', 0):,} parameters)"

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Raises:
        Corrupt: a file of the checkpoint is missing.
        """
        missing = [name for name in (WEIGHTS, *MODEL_FILES) if not (path / name).is_file()]
        if missing:
            raise Corrupt(f"{path}: not a checkpoint, {', '.join(missing)} missing; run `autoglm run`")
        training = load_json(path / FACTS) if (path / FACTS).is_file() else {}
        return cls(path, AutoGLMConfig.from_pretrained(path), training)

    @classmethod
    def save(
        cls,
        path: Path,
        model: AutoGLMModel,
        tokenizer: Any,
        training: dict[str, Any],
        weights: str = "bf16",
    ) -> Checkpoint:
        """Round ``model`` to ``weights`` and write the folder whole; the same weights give the same bytes.

        Raises:
            UserError: a weight is too large for fp16.
        """
        with fresh_dir(path) as folder:
            state = {name: canonical(tensor, weights) for name, tensor in model.state_dict().items()}
            check_range(state, model.state_dict(), weights)
            # one metadata key: safetensors writes several in random order
            save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
            save_json(folder / "config.json", config_dict(model.config))
            tokenizer.backend_tokenizer.no_truncation()
            tokenizer.backend_tokenizer.no_padding()
            tokenizer.save_pretrained(folder)
            _drop_environment(folder / "tokenizer_config.json")
            for extra in set(folder.iterdir()) - {folder / name for name in (WEIGHTS, *MODEL_FILES)}:
                extra.unlink()  # tokenizer.json holds it all
            parameters = sum(tensor.numel() for tensor in state.values())
            save_json(folder / FACTS, {**training, "parameters": parameters})
        return cls.load(path)

    def model(self) -> AutoGLMModel:
        """The model in fp32 with exactly the canonical weights, in evaluation mode."""
        with Unset():
            model = AutoGLMModel(self.config)
        model.load_state_dict(load_file(self.path / WEIGHTS))  # widened on the way
        model.eval()
        return model

    def head(self) -> Adapter:
        """The task adapter alone, in fp32 and in evaluation mode."""
        adapter = build_adapter(self.config.backbone_config["hidden_size"], self.config)
        with safe_open(self.path / WEIGHTS, "pt") as file:
            names = [name for name in file.keys() if name.startswith(HEAD)]  # noqa: SIM118
            adapter.load_state_dict({n.removeprefix(HEAD): file.get_tensor(n).float() for n in names})
        return adapter.eval()

    @cached_property
    def body(self) -> str:
        """sha256 of all but the task adapter: weights, tokenizer and sizes; two heads on one body have it alike."""
        digest = hashlib.sha256()
        for name in MODEL_FILES[1:]:
            digest.update((self.path / name).read_bytes())
        with safe_open(self.path / WEIGHTS, "pt") as file:
            for name in sorted(name for name in file.keys() if not name.startswith(HEAD)):  # noqa: SIM118
                tensor = file.get_tensor(name)
                digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
                digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy())
        return fingerprint([digest.hexdigest(), [getattr(self.config, name) for name in BODY]])

    @property
    def weights(self) -> str:
        """bf16, fp16 or fp32: how they are stored."""
        with safe_open(self.path / WEIGHTS, "pt") as file:
            found = {file.get_tensor(name).dtype for name in file.keys() if name.startswith(HEAD)}  # noqa: SIM118
        return next(name for name, dtype in DTYPES.items() if dtype in found)

    def tokenizer(self) -> Any:
        return load_tokenizer(self.path)

    @property
    def scope(self) -> Scope:
        """From which score on a text belongs to a class; all of them do where no threshold was set.

        Raises:
            Corrupt: scope.json is no threshold.
        """
        path = self.path / SCOPE
        return Scope.load(path) if path.is_file() else Scope(None, 1.0, 0)

    @property
    def fingerprint(self) -> str:
        return fingerprint_dir(self.path)


class Unset(TorchFunctionMode):
    """Inside, nobody draws random weights: all of them are loaded, and drawing takes as long as loading."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in ("normal_", "uniform_"):
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def canonical(tensor: torch.Tensor, weights: str = "bf16") -> torch.Tensor:
    """As it is published: floats rounded to nearest even; whole numbers stay what they are."""
    if not tensor.is_floating_point():
        return tensor.contiguous()
    return tensor.detach().to("cpu", DTYPES[weights]).contiguous()


def check_range(rounded: dict[str, torch.Tensor], state: dict[str, torch.Tensor], weights: str) -> None:
    """Raises:
    UserError: a finite weight became infinite; that happens to fp16 alone, which ends at 65,504.
    """
    if weights != "fp16":
        return
    for name, tensor in rounded.items():
        if tensor.isinf().any() and not state[name].isinf().any():
            raise UserError(
                f"train.weights: fp16 holds up to 65504, {name} has {float(state[name].abs().max()):g}; use bf16 or fp32"
            )


def _drop_environment(path: Path) -> None:
    """What transformers notes of how it was called, HF_HUB_OFFLINE among it, says nothing of the tokenizer: the same model
    would have another fingerprint in another shell.
    """
    save_json(path, {key: value for key, value in load_json(path).items() if key != "local_files_only"})


def config_dict(config: AutoGLMConfig) -> dict[str, Any]:
    """config.json without what differs between machines: library versions and where the backbone lay."""
    values: dict[str, Any] = config.to_dict()
    for part in (values, values["backbone_config"]):
        for name in ("transformers_version", "_name_or_path"):
            part.pop(name, None)
    values["architectures"] = ["AutoGLMModel"]
    return values
