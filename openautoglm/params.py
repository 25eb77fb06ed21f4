"""params.yaml: typed, frozen, and strict about names.

    params = Params.load(Path("params.yaml"))
    params.train.epochs

A section has the name of the stage that it belongs to; `continual` is for train and evaluate. Which other stages read one
of its knobs stands in dvc.yaml. The values and their units stand in params.yaml alone; here stand
their types and bounds, so a missing key is an error too.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from openautoglm.errors import ParamsError
from openautoglm.yaml_file import read_yaml

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0.0)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Columns(Section):
    id: str
    text: str
    label: str
    split: str


class IngestParams(Section):
    inbox: str
    source: str | None
    remote: str | None
    through: str | None
    columns: Columns
    valid_share: Share
    test_share: Share
    chunk_rows: Count

    @model_validator(mode="after")
    def _shares_leave_a_train_split(self) -> IngestParams:
        if self.valid_share + self.test_share >= 1.0:
            raise ValueError(
                f"valid_share + test_share must stay below 1, found {self.valid_share + self.test_share:g}"
            )
        return self

    @model_validator(mode="after")
    def _the_inbox_is_a_folder(self) -> IngestParams:
        if "://" in self.inbox:
            raise ValueError(
                f"inbox is a folder here, found {self.inbox}; give it as remote: the folder is then kept like it"
            )
        return self

    @field_validator("source", "remote")
    @classmethod
    def _one_spelling(cls, place: str | None) -> str | None:
        return place.rstrip("/") if place else None

    @model_validator(mode="after")
    def _what_others_drop_is_not_what_we_keep(self) -> IngestParams:
        if self.remote and "://" not in self.remote:
            raise ValueError(f"remote is a URL (file:///... for a folder), found {self.remote}")
        if self.remote and self.remote == self.source:
            raise ValueError(
                f"source and remote are both {self.source}; what is dropped at the remote is taken as it is, so set source to null"
            )
        return self


class ValidateParams(Section):
    max_quarantined: Share
    min_chars: Count
    max_words: Count
    min_per_class: Count
    max_class_share: Share
    max_label_psi: Positive
    max_length_psi: Positive
    max_oov: Share


class GraphParams(Section):
    parser: Literal["fast", "spacy"]
    spacy_model: str | None
    npmi_window: Count
    npmi_min: Annotated[float, Field(ge=-1.0, le=1.0)]
    npmi_min_count: Count
    empty: Literal["keep", "stop"]
    shard_documents: Count

    @model_validator(mode="after")
    def _spacy_needs_a_model(self) -> GraphParams:
        if self.parser == "spacy" and not self.spacy_model:
            raise ValueError(
                "parser: spacy needs spacy_model, the name of an installed spaCy model; found null"
            )
        return self


class TrainParams(Section):
    backbone: str
    parent: str | None
    start: Literal["parent", "pretrained"]
    text_only: bool
    graph_layers: Count
    graph_size: Annotated[int, Field(ge=8, multiple_of=8)]
    max_tokens: Annotated[int, Field(ge=8)]
    epochs: Count
    batch_size: Count
    learning_rate: Positive
    head_learning_rate: Positive
    warmup: Share
    weight_decay: Annotated[float, Field(ge=0.0)]
    patience: Count
    precision: Literal["auto", "bf16", "fp32"]
    weights: Literal["bf16", "fp16", "fp32"]
    grid: Annotated[float, Field(gt=0.0, le=4.0)] | None
    in_scope_share: Annotated[float, Field(gt=0.0, lt=1.0)]
    seed: int
    checkpoint_every: Count
    world_size: Count
    max_restarts: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _every_rank_gets_a_document(self) -> TrainParams:
        if self.batch_size % self.world_size:
            raise ValueError(
                f"batch_size must be a multiple of world_size, found {self.batch_size} and {self.world_size}"
            )
        return self

    @model_validator(mode="after")
    def _a_grid_needs_fp32(self) -> TrainParams:
        if self.grid is not None and self.weights != "fp32":
            raise ValueError(
                f"grid needs weights: fp32, found {self.weights}, which is rounded already; set grid to null"
            )
        return self


class ContinualParams(Section):
    mode: Literal["finetune", "analytic", "replay"]
    features: Annotated[int, Field(ge=1, le=20_000)]
    replay_per_class: Annotated[int, Field(ge=0)]
    replay_choice: Literal["reservoir", "herding"]
    replay_layers: Annotated[str, Field(pattern=r"^(all|(top|lora):[1-9][0-9]*)$")]
    penalty: Literal["none", "ewc", "lwf"]
    penalty_weight: Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
    max_forgetting: Share
    thorough: bool
    retrain_on_drift: bool

    @model_validator(mode="after")
    def _ewc_needs_old_documents(self) -> ContinualParams:
        if self.penalty == "ewc" and not self.replay_per_class:
            raise ValueError(
                "penalty: ewc needs old documents, found replay_per_class: 0; set it to 1 or more"
            )
        return self


class EvaluateParams(Section):
    margin: Share
    min_accuracy: Share
    min_agreement: Share
    max_ece: Share
    bootstrap: Count
    confidence: Annotated[float, Field(gt=0.0, lt=1.0)]
    oos_label: str | None
    drift_psi: Positive
    drift_oov: Share
    drift_chance: Annotated[float, Field(gt=0.0, lt=1.0)]


class ExportParams(Section):
    opset: Annotated[int, Field(ge=17, le=20)]
    tolerance: Positive
    int8: bool
    int8_max_drop: Share


class PublishParams(Section):
    store: str
    channel: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    anchor_every: Count


class Params(Section):
    ingest: IngestParams
    validate_: ValidateParams = Field(alias="validate")
    graph: GraphParams
    train: TrainParams
    continual: ContinualParams
    evaluate: EvaluateParams
    export: ExportParams
    publish: PublishParams

    @classmethod
    def load(cls, path: Path = Path("params.yaml")) -> Params:
        """Read and check ``path``.

        Raises:
            ParamsError: no such file, not YAML, unknown or missing key, wrong type, clash between keys.
        """
        return cls.parse(read_yaml(path), where=str(path))

    @classmethod
    def parse(cls, raw: object, where: str = "params") -> Params:
        if not isinstance(raw, Mapping):
            raise ParamsError(f"{where}: expected sections such as train:, found {type(raw).__name__}")
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise ParamsError(f"{where}: {_explain(error)}") from None


def _explain(error: ValidationError) -> str:
    """The first fault in one line, with the nearest known name for an unknown key."""
    # a misspelt key is also a missing one: name the misspelling
    fault = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    name = ".".join(str(part) for part in fault["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if fault["type"] == "extra_forbidden":
        return f"unknown key {name}{nearest(name, _known())}{more}"
    if fault["type"] == "missing":
        return f"missing key {name}{more}"
    reason = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error":
        return f"{name}: {reason}{more}"
    return f"{name}: {reason[0].lower()}{reason[1:]}, found {fault['input']!r}{more}"


def nearest(name: str, known: list[str]) -> str:
    """A hint at the known name that is meant, or nothing."""
    by_key = {full.rsplit(".", 1)[-1]: full for full in known}
    close = difflib.get_close_matches(name, known, n=1) or [
        by_key[key] for key in difflib.get_close_matches(name.rsplit(".", 1)[-1], by_key, n=1)
    ]
    return f"; did you mean {close[0]}?" if close else ""


def _known() -> list[str]:
    names = []
    for section, field in Params.model_fields.items():
        section = field.alias or section
        assert isinstance(field.annotation, type)
        names += [section, *(f"{section}.{key}" for key in field.annotation.model_fields)]
    return names


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections → {"section.key": value}."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
