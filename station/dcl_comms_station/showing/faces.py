"""How a command shows events: in JSON, in lines, or live on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from dcl_comms_core.events import PeerMoved
from dcl_comms_station.forms import dump, plain_event
from dcl_comms_station.lines import line_of
from dcl_comms_station.showing.colours import AUTO, Tone, is_screen, tone_of, wants_colour
from dcl_comms_station.showing.movements import Movements
from dcl_comms_station.showing.screen import Row, Screen
from dcl_comms_station.terminal import draw, put

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from dcl_comms_core.events import Event
    from dcl_comms_core.peers import PeerId

    Called: TypeAlias = Callable[[PeerId], str]
    """The name of somebody, if it is known, else an empty text."""

__all__ = ["TICK_SECONDS", "Face", "JsonFace", "LineFace", "LiveFace", "clock", "columns", "screen_of", "shown"]

TICK_SECONDS: Final = 1.0
"""How often a face that is ``live`` wants its ``tick``."""
_PAUSE: Final = 0.1
"""Seconds between two pictures of who moves."""


class Face(Protocol):
    """What shows events.  Times are unix seconds: when an event was, and not when it is shown."""

    live: bool
    """Whether it changes by itself, and so wants a tick every TICK_SECONDS."""

    def show(self, event: Event, unix: float) -> None:
        """Show what happened then."""
        ...

    def tick(self, unix: float) -> None:
        """Show what changed by the time alone."""
        ...


class JsonFace:
    """One object a line, ASCII only; never a colour."""

    live = False

    def show(self, event: Event, unix: float) -> None:
        """Print what ``as_dict`` makes of it."""
        put(dump({"time": round(unix, 6), **plain_event(event)}))

    def tick(self, unix: float) -> None:
        """Nothing changes by itself."""


class LineFace:
    """One line for each event, with colours if need be."""

    live = False

    def __init__(self, screen: Screen, called: Called | None = None) -> None:
        self._screen = screen
        self._called = called

    def show(self, event: Event, unix: float) -> None:
        """Print its line."""
        self._screen.write(line_of(event, self._called), clock=clock(unix), tone=tone_of(event))

    def tick(self, unix: float) -> None:
        """Nothing changes by itself."""


class LiveFace:
    """Lines on a terminal; who moves is the line below them."""

    live = True

    def __init__(self, screen: Screen, called: Called | None = None) -> None:
        self._screen = screen
        self._called = called
        self._movements = Movements()
        self._newest = 0.0
        self._drawn = 0.0
        self._moving = ""
        self._prompt: tuple[Row, int] | None = None

    def show(self, event: Event, unix: float) -> None:
        """Print its line, or draw who moves anew, if that was a while ago."""
        if not isinstance(event, PeerMoved):
            self._screen.write(line_of(event, self._called), clock=clock(unix), tone=tone_of(event))
            return
        self._movements.take(event, unix)
        self._newest = max(self._newest, unix)
        if self._newest - self._drawn >= _PAUSE:
            self.tick(self._newest)

    def tick(self, unix: float) -> None:
        """Draw who moves now."""
        self._drawn = unix
        self._moving = self._movements.text(unix)
        self._draw()

    def say(self, text: str, tone: Tone = Tone.PLAIN, *, unix: float | None = None) -> None:
        """A line that is of no event."""
        self._screen.write(text, clock="" if unix is None else clock(unix), tone=tone)

    def set_prompt(self, text: str, cursor: int) -> None:
        """What is being typed, below all else, and the column of the cursor in it."""
        self._prompt = Row(text), cursor
        self._draw()

    def _draw(self) -> None:
        rows = [Row(self._moving, Tone.QUIET)] if self._moving else []
        if self._prompt is None:
            self._screen.set_bottom(rows)
        else:
            row, cursor = self._prompt
            self._screen.set_bottom([*rows, row], cursor)


def clock(unix: float) -> str:
    """The time of day there and then, for people."""
    return time.strftime("%H:%M:%S", time.localtime(unix))


@contextmanager
def shown(*, as_json: bool = False, colour: str = AUTO) -> Generator[Face]:
    """The face for standard output as it is; what it keeps at the bottom of a terminal is gone at the end."""
    if as_json:
        yield JsonFace()
        return
    live, screen = screen_of(colour)
    try:
        yield LiveFace(screen) if live else LineFace(screen)
    finally:
        screen.close()


def screen_of(colour: str) -> tuple[bool, Screen]:
    """Standard output, and whether lines of it can be changed."""
    live = is_screen(os.environ, terminal=sys.stdout.isatty())
    return live, Screen(draw, columns, colour=wants_colour(colour, os.environ, screen=live))


def columns() -> int:
    """How wide the terminal is."""
    return shutil.get_terminal_size().columns
