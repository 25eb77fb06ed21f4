"""The toy's stages import nothing that takes seconds."""


def load() -> None: ...
