"""Every error that Open-AutoGLM raises on purpose.

    AutoGLMError
    ├── UserError (also a ValueError)      exit code 2: something given to us is wrong
    │   ├── ParamsError                    params.yaml, --set
    │   ├── SourceError                    a file, folder or URL to ingest
    │   ├── ValidationFailed               the corpus fails its expectations
    │   ├── BackboneError                  pretrained weights missing or not the expected ones
    │   └── ReleaseError                   the release store, a release or a delta
    │       ├── UnknownRelease             no such version in this store
    │       ├── WrongBase                  a delta against other weights than these
    │       ├── Corrupt                    a hash, length or header does not hold
    │       ├── Untrusted                  not signed by a key that this node trusts
    │       ├── Unfit                      a sound release that this node cannot serve
    │       └── Conflict                   somebody else published first
    ├── NotPublished                       exit code 1: the run is sound, a gate said no
    └── TrainingFailed                     exit code 1: loss not finite, out of restarts

One message is one line: what is wrong, what was found, what to do. Facts ride along as attributes and survive
pickling, so that an error raised in a training rank or a Prefect task arrives whole.
"""

from __future__ import annotations

from typing import Any


class AutoGLMError(Exception):
    """Base of the tree; ``facts`` are the numbers and names behind the message."""

    exit_code = 1

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.facts)


def _rebuild(kind: type[AutoGLMError], message: str, facts: dict[str, Any]) -> AutoGLMError:
    return kind(message, **facts)


class UserError(AutoGLMError, ValueError):
    exit_code = 2


class ParamsError(UserError): ...


class SourceError(UserError): ...


class ValidationFailed(UserError): ...


class BackboneError(UserError): ...


class ReleaseError(UserError): ...


class UnknownRelease(ReleaseError): ...


class WrongBase(ReleaseError): ...


class Corrupt(ReleaseError): ...


class Untrusted(ReleaseError): ...


class Unfit(ReleaseError): ...


class Conflict(ReleaseError): ...


class NotPublished(AutoGLMError): ...


class TrainingFailed(AutoGLMError): ...
