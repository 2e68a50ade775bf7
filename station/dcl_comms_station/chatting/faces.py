"""What ``chat`` shows and takes: on a terminal a prompt below everything, in a pipe plain lines both ways."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from dcl_comms_core.events import PeerMoved
from dcl_comms_station.chatting.keyboard import a_key_at_a_time
from dcl_comms_station.chatting.typing import MOST_CHARS, Keys, Pipe
from dcl_comms_station.showing.colours import Tone
from dcl_comms_station.showing.faces import LineFace, LiveFace, columns, screen_of
from dcl_comms_station.terminal import complain

if TYPE_CHECKING:
    from collections.abc import Generator

    from dcl_comms_core.events import Event
    from dcl_comms_station.showing.faces import Called, Face
    from dcl_comms_station.showing.screen import Screen

__all__ = ["ChatFace", "chat_face"]

_PROMPT: Final = "> "


class ChatFace(Protocol):
    """Both ways: events and answers out, lines in."""

    events: Face

    @property
    def ended(self) -> bool:
        """Whether nothing will come in any more."""
        ...

    def feed(self, data: bytes) -> list[str]:
        """The lines that are whole with this."""
        ...

    def said(self, text: str, unix: float, *, to: str = "") -> None:
        """We said that, to everybody or to one."""
        ...

    def answer(self, text: str) -> None:
        """What a command of ours found."""
        ...

    def warn(self, text: str) -> None:
        """What did not go, or not far."""
        ...


class _Silent:
    """Events but movements, of which a pipe would be full."""

    live = False

    def __init__(self, face: LineFace) -> None:
        self._face = face

    def show(self, event: Event, unix: float) -> None:
        if not isinstance(event, PeerMoved):
            self._face.show(event, unix)

    def tick(self, unix: float) -> None:
        self._face.tick(unix)


class _Lines:
    def __init__(self, screen: Screen, called: Called) -> None:
        self.events: Face = _Silent(LineFace(screen, called))
        self._screen = screen
        self._pipe = Pipe()

    @property
    def ended(self) -> bool:
        return self._pipe.ended

    def feed(self, data: bytes) -> list[str]:
        before = self._pipe.too_long
        lines = self._pipe.feed(data)
        for _ in range(self._pipe.too_long - before):
            self.warn(f"nothing was sent: a line has more than {MOST_CHARS} characters")
        return lines

    def said(self, text: str, unix: float, *, to: str = "") -> None:
        """Whoever wrote it into the pipe knows it."""

    def answer(self, text: str) -> None:
        self._screen.write(text, tone=Tone.QUIET)

    def warn(self, text: str) -> None:
        complain(text)


class _Prompt:
    def __init__(self, screen: Screen, called: Called) -> None:
        self._live = LiveFace(screen, called)
        self.events: Face = self._live
        self._keys = Keys()
        self._draw()

    @property
    def ended(self) -> bool:
        return self._keys.ended

    def feed(self, data: bytes) -> list[str]:
        lines = self._keys.feed(data)
        self._draw()
        return lines

    def said(self, text: str, unix: float, *, to: str = "") -> None:
        self._live.say(f"we say{f' to {to}' if to else ''}: {text}", Tone.PRIVATE if to else Tone.QUIET, unix=unix)

    def answer(self, text: str) -> None:
        self._live.say(text, Tone.QUIET)

    def warn(self, text: str) -> None:
        self._live.say(text, Tone.TROUBLE)

    def _draw(self) -> None:
        self._live.set_prompt(*self._keys.view(_PROMPT, columns() - 1))


@contextmanager
def chat_face(descriptor: int, colour: str, called: Called) -> Generator[ChatFace]:
    """The face for this input and standard output as they are; at the end a terminal is as it was.

    ``called``: the name of somebody, if it is known, else an empty text.
    """
    live, screen = screen_of(colour)
    if not (live and os.isatty(descriptor)):
        yield _Lines(screen, called)
        return
    with a_key_at_a_time(descriptor):
        try:
            yield _Prompt(screen, called)
        finally:
            screen.close()
