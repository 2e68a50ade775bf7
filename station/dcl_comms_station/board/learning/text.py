"""One step's text, and the chapters that steps belong to."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["CHAPTERS", "Text"]


class Text(NamedTuple):
    """A step: who speaks to whom, why, and what may go wrong."""

    chapter: str
    title: str
    why: str
    frm: str
    to: str
    file: str
    wrong: str = ""
    python: str = ""


CHAPTERS: Final = {
    "who": "Who you are",
    "realm": "The realm",
    "island": "The island service",
    "pulse": "Pulse",
    "room": "The room",
    "talking": "Talking",
    "moving": "Moving",
    "media": "Sound and pictures",
    "change": "Changes, losses, leaving",
}
"""In the order in which they are read."""
