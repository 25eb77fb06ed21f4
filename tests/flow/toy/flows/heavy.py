"""The toy's stages import nothing that takes seconds."""

from collections.abc import Iterable

ALL = SIDE_BY_SIDE = ()


def load(modules: Iterable[str]) -> None: ...
