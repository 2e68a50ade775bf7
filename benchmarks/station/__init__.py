"""The Station: what it costs beside the connection that it looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from station.recording_rows import recording_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["run"]


def run(only: str = "") -> Iterator[dict[str, object]]:
    """The rows whose case has this text in it."""
    yield from recording_rows(only)
