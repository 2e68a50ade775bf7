"""No private name of ours is used outside of the class, or the module, that makes it; tests and benchmarks are held to it too."""

from __future__ import annotations

from pathlib import Path

import private_names
import pytest
import sources

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def checker():
    return private_names.Checker(sources.read(ROOT))


@pytest.fixture(scope="module")
def violations(checker):
    return checker.violations()


def test_private_names_are_used_by_what_makes_them_and_by_nothing_else(violations):
    assert not violations, "\n".join([f"{len(violations)} uses", *map(str, violations)])


def test_whatever_is_allowed_of_others_is_used(checker, violations):
    assert checker.idle() == []
