"""Open-AutoGLM: keeps a graph-augmented language model current. One room per noun; see docs/architecture.md."""

__version__ = "0.1.0"
