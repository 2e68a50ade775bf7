"""Rows in columns that are as wide as they have to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcl_comms_station.clean import clean
from dcl_comms_station.showing.widths import cells, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["in_columns"]

_BETWEEN = "  "


def in_columns(rows: Sequence[Sequence[str]], *, most: int | None = None) -> list[str]:
    """Each row as a line; texts are made safe.  ``most``: columns of the terminal; None: as wide as need be."""
    texts = [[clean(text) for text in row] for row in rows]
    widths = [max(map(cells, column)) for column in zip(*texts, strict=True)]
    lines = (
        _BETWEEN.join(text + " " * (width - cells(text)) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    )
    return [line if most is None else cut(line, most) for line in lines]
