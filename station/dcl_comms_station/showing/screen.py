"""A terminal's lines, and a few rows at its bottom that change: what is written goes above them, and tears none."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dcl_comms_station.clean import clean
from dcl_comms_station.showing.colours import Tone, painted
from dcl_comms_station.showing.widths import cells, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Row", "Screen"]


class Row(NamedTuple):
    """One line at the bottom."""

    text: str
    tone: Tone = Tone.PLAIN


class Screen:
    """``draw`` gets texts for a terminal as they are, each of them whole; ``columns``: how wide it is now."""

    def __init__(self, draw: Callable[[str], object], columns: Callable[[], int], *, colour: bool = True) -> None:
        self._draw = draw
        self._columns = columns
        self._colour = colour
        self._rows: tuple[Row, ...] = ()
        self._cursor: int | None = None
        self._drawn: list[str] = []

    def write(self, text: str, *, clock: str = "", tone: Tone = Tone.PLAIN) -> None:
        """A line that stays; ``clock`` stands before it, quietly."""
        head = f"{self._painted(clock, Tone.QUIET)}  " if clock else ""
        self._draw(f"{self._cleared()}{head}{self._painted(text, tone)}\n{self._bottom()}")

    def set_bottom(self, rows: Sequence[Row], cursor: int | None = None) -> None:
        """What stands at the bottom from now on; ``cursor``: in which column of the last row, None: behind it."""
        rows = tuple(rows)
        if rows == self._rows and cursor == self._cursor:
            return
        self._rows, self._cursor = rows, cursor
        cleared = self._cleared()
        self._draw(cleared + self._bottom())

    def close(self) -> None:
        """Leave nothing at the bottom."""
        self.set_bottom(())

    def _painted(self, text: str, tone: Tone) -> str:
        return painted(text, tone if self._colour else Tone.PLAIN)

    def _cleared(self) -> str:
        """Back to where the bottom began.  A terminal that became narrower has broken its rows."""
        if not self._drawn:
            return ""
        columns = max(1, self._columns())
        lines = sum(max(1, -(-cells(row) // columns)) for row in self._drawn)
        return "\r" + (f"\x1b[{lines - 1}A" if lines > 1 else "") + "\x1b[J"

    def _bottom(self) -> str:
        # A row that is full has some terminals begin the next one.
        columns = max(1, self._columns() - 1)
        self._drawn = [cut(clean(row.text), columns) for row in self._rows]
        drawn = "\n".join(self._painted(text, row.tone) for text, row in zip(self._drawn, self._rows, strict=True))
        if self._cursor is None or not self._rows:
            return drawn
        column = min(self._cursor, columns)
        return f"{drawn}\r" + (f"\x1b[{column}C" if column else "")
