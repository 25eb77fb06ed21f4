"""Toy: the training room."""
