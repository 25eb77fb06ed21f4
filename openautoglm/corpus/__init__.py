"""Texts with labels: how they come in, what they must be, and which exam they sit."""

from openautoglm.corpus.document import SCHEMA, SPLITS, Corpus, Document

__all__ = ["SCHEMA", "SPLITS", "Corpus", "Document"]
