"""Toy: conversion."""


def convert(labels: list[str]) -> dict[str, dict[str, int]]:
    """A model's page."""
    return {"label2id": {label: number for number, label in enumerate(labels)}}
