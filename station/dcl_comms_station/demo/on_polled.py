"""A part on a plain loop, as a game has one: poll, act, draw, wait for the next frame."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from dcl_comms_drivers import polled

from dcl_comms_core import TrackKind, TrackSubscribed
from dcl_comms_station.demo.part import STEP_SECONDS, Part
from dcl_comms_station.residents.tone import Ear

if TYPE_CHECKING:
    from threading import Event

    from dcl_comms_drivers.media.feeds import Reader
    from dcl_comms_drivers.media.frames import AudioFrame

    from dcl_comms_station.demo.venue import Ticket

__all__ = ["play"]

_FRAME_SECONDS: Final = 1.0 / 50.0


def play(ticket: Ticket, part: Part, curtain: Event) -> None:
    """Play until the part is done or the curtain falls."""
    with polled.open(ticket.target, **ticket.settings) as room:
        sounds: list[tuple[Ear, Reader[AudioFrame]]] = []
        next_step = time.monotonic()
        while not (part.done or curtain.is_set()):
            for event in room.poll():
                part.take(event, room)
                if isinstance(event, TrackSubscribed) and event.track.kind is TrackKind.AUDIO:
                    sounds.append((Ear(), room.audio(event.track)))
            for ear, sound in sounds:
                _listen(ear, sound, part)
            if time.monotonic() >= next_step:
                part.step(room)
                next_step += STEP_SECONDS
            time.sleep(_FRAME_SECONDS)


def _listen(ear: Ear, sound: Reader[AudioFrame], part: Part) -> None:
    while (frame := sound.poll()) is not None:
        pitch = ear.listen(frame.data, frame.sample_rate)
        if pitch is not None:
            part.hear(pitch)
