"""Toy: the exam room."""
