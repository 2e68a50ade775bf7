"""Pulse: what it costs to hear of everybody.  Each part has a module of its own; all rows are of the bench ``pulse``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulse import crowd_rows, enet_rows, server_rows, subject_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pairs import Row

PARTS = (enet_rows, subject_rows, server_rows, crowd_rows)
"""Modules with ``run(only=...)``, and ``verdict(rows)`` if they have one."""


def run(only: str = "") -> Iterator[Row]:
    """Every row whose case has ``only`` in it, as soon as it is there."""
    for part in PARTS:
        yield from part.run(only=only)


def verdict(rows: list[Row]) -> list[str]:
    """What was asked for, and whether it is so."""
    return [line for part in PARTS if hasattr(part, "verdict") for line in part.verdict(rows)]
