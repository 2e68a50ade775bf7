"""Limits: named, bounded, and documented with their defaults."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

import dcl_comms_core.limits
from dcl_comms_core import DEFAULT_LIMITS, Limits, LocalProtocolError


def test_the_table_in_the_documentation_gives_every_limit_and_its_default() -> None:
    rows = re.findall(r"^([a-z_]+) +([\d,.]+)  +\S", str(dcl_comms_core.limits.__doc__), re.MULTILINE)
    documented = {name: float(value.replace(",", "")) for name, value in rows}
    assert documented == {field.name: getattr(DEFAULT_LIMITS, field.name) for field in fields(Limits)}


def test_the_page_is_what_the_table_says() -> None:
    tool = Path(__file__).parents[2] / ".ci/tools/limits_page.py"
    subprocess.run([sys.executable, str(tool), "--check"], check=True)


def test_limits_do_not_change() -> None:
    assert Limits() == DEFAULT_LIMITS
    with pytest.raises(FrozenInstanceError):
        DEFAULT_LIMITS.peers = 5  # type: ignore[misc]  # the mistake


@pytest.mark.parametrize(
    "values",
    [
        {"peers": -1},
        {"connect_seconds": nan},
        {"close_seconds": inf},
        {"drain_seconds": -0.5},
        {"in_flight": 0},
        {"event_queue": 0},
        {"turn_inputs": 0},
    ],
)
def test_limits_that_make_no_sense(values: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError, match=f"Limits.{next(iter(values))} can't be"):
        Limits(**values)


def test_none_at_all_is_a_limit_where_things_still_move() -> None:
    assert Limits(peers=0, tracks=0, early_packets=0, send_queue=0, connect_seconds=0.0).peers == 0
