"""Toy: conversion."""


def convert(model: int) -> list[int]:
    """Put it in a list."""
    return [model]
