"""The fuzz targets hold: their seeds pass, and blind mutations of them find nothing."""

from __future__ import annotations

import random

import pytest

from fuzz import run
from warren.core.errors import WarrenError


@pytest.mark.parametrize("name", run.names())
def test_a_target_takes_its_seeds(name: str) -> None:
    target = run.load(name)
    assert target.SEEDS
    assert all(issubclass(kind, WarrenError) for kind in target.DOCUMENTED)
    for data in (b"", *target.SEEDS):
        assert len(data) <= run.INPUT_BYTES_MAX
        run.feed(target, data)
    accepted = 0
    for data in target.SEEDS:
        try:
            target.parse(data)
        except target.DOCUMENTED:
            continue
        accepted += 1
    assert accepted  # otherwise what comes behind the first check is never reached


@pytest.mark.parametrize("name", run.names())
def test_mutations_find_nothing(name: str) -> None:
    target = run.load(name)
    rng = random.Random(f"{name} 1")
    for _ in range(20 if name == "invite_code" else 200):
        run.feed(target, run.mutate(rng, target.SEEDS))
