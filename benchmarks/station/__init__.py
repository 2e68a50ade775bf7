"""The Station: what it costs beside the connection that it looks at, and its page in a browser with a crowd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from station.board_rows import board_rows
from station.page_rows import page_rows
from station.recording_rows import recording_rows
from station.start_rows import start_rows
from station.tap_rows import tap_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["run"]


def run(only: str = "") -> Iterator[dict[str, object]]:
    """The rows whose case has this text in it."""
    for rows in (recording_rows, tap_rows, board_rows, start_rows, page_rows):
        yield from rows(only)
