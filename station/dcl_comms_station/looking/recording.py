"""What ``record`` does: be there, and have a recording take what a tap sees; and what ``tail`` shows of one."""

from __future__ import annotations

import time
from dataclasses import fields
from math import inf
from typing import TYPE_CHECKING, Any, Final

from dcl_comms_bot.tasks import tasks
from dcl_comms_drivers.settings import Subscribe

from dcl_comms_core.adapters.connection_string import parse_connection_string
from dcl_comms_core.codec import peek
from dcl_comms_core.errors import CommsError, DecodeError
from dcl_comms_core.events import PacketEvent, PacketReceived, TrackSubscribed
from dcl_comms_core.inputs import TrackKind
from dcl_comms_core.readers.kinds import EVERY_KIND
from dcl_comms_core.records.forms import event_name
from dcl_comms_core.tools.urls import masked_url
from dcl_comms_station.progress import entered
from dcl_comms_station.recording import Lost, Received, Recording, Stepped, open_recording
from dcl_comms_station.recording.sieve import Sieve
from dcl_comms_station.terminal import complain
from dcl_comms_station.visitor import NOBODY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dcl_comms_drivers.connection.waiting import WaitingConnection

    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.peers import PeerId
    from dcl_comms_station.loops import Loop
    from dcl_comms_station.recording.observed import Observation
    from dcl_comms_station.showing.faces import Face
    from dcl_comms_station.visitor import Visitor

__all__ = ["record_into", "tail_recording"]

_EVERY: Final = 1.0
"""Seconds between two looks at how it goes."""


async def record_into(
    loop: Loop,
    target: str,
    path: Path,
    *,
    seconds: float | None = None,
    shown: str | None = None,
    drawn: bool = True,
    audio: bool = False,
    patience: float = 20.0,
    visitor: Visitor = NOBODY,
) -> None:
    """Record until ``seconds`` have passed (None: never), the room is over, or the disk is full.

    ``shown``: a filter's text; ``drawn``: with a channel for viewers in three dimensions; ``audio``: what is heard too.
    ``patience``: seconds until the (first) room must be open.  RecordingStopped: the file could not be written.
    """
    settings = visitor.settings(target)
    recording = Recording(path, about={"target": _masked(target)}, shown=shown, scene=drawn)
    settings |= {"timeout": patience, "subscribe": Subscribe.AUDIO if audio else Subscribe.NONE, "tap": recording.tap}
    entered_once = False
    try:
        async with entered(loop, target, settings) as room:
            entered_once = True
            if visitor.scene is not None:
                room.enter_scene(*visitor.scene)
            async with tasks() as group:
                group.start(_read, room, group.start if audio else None, recording)
                await _keep(loop, room, recording, inf if seconds is None else seconds)
                group.cancel()
    finally:
        if entered_once:
            state = recording.finish()
            lost = f", {state.lost:,} observations were lost" if state.lost else ""
            complain(f"{path}: {state.messages:,} messages, {state.bytes:,} bytes{lost}")
        else:
            recording.discard()


async def _keep(loop: Loop, room: WaitingConnection, recording: Recording, seconds: float) -> None:
    began = time.monotonic()
    while not recording.state.error and (left := began + seconds - time.monotonic()) > 0:
        room.request_stats()
        await loop.sleep(min(_EVERY, left))
        stats = room.stats
        figures = {one.name: _plain(getattr(stats, one.name)) for one in fields(stats)}
        recording.note(room.driver.host.now(), figures)


def _plain(value: Any) -> object:
    return value if isinstance(value, int | float | str | None) else dict(value)


async def _read(room: WaitingConnection, start: Callable[..., object] | None, recording: Recording) -> None:
    async for event in room:
        if start is not None and isinstance(event, TrackSubscribed) and event.track.kind is TrackKind.AUDIO:
            start(_hear, room, event.track, event.sender, recording)


async def _hear(room: WaitingConnection, track: Track, who: PeerId, recording: Recording) -> None:
    async for frame in room.audio(track):
        now = room.driver.host.now()
        recording.sound(now, who, bytes(frame.data), rate=frame.sample_rate, channels=frame.channels)


def _masked(target: str) -> str:
    try:
        return str(parse_connection_string(target))
    except CommsError:
        return masked_url(target) if "://" in target else target


# --- tail


def tail_recording(
    path: Path,
    face: Face,
    *,
    packets: bool = False,
    seconds: float | None = None,
    count: int | None = None,
    only: tuple[str, ...] = (),
    filter_text: str | None = None,
) -> None:
    """Show a recording's events, as ``tail`` shows a room's; ``packets``: every packet that came, as it came.

    ``seconds``: of its beginning; ``count``: how many events are shown; ``only``: kinds.
    """
    with open_recording(path) as recorded:
        sieve = None if filter_text is None else Sieve(filter_text, now=lambda: recorded.end)
        left = inf if count is None else count
        end = inf if seconds is None else recorded.start + seconds
        for seen in recorded.observations():
            if seen.time > end or left <= 0:
                break
            event = _event_of(seen, packets=packets)
            if (
                event is None
                or (only and event_name(event) not in only)
                or (sieve is not None and not sieve.keep(event))
            ):
                continue
            face.show(event, seen.time)
            left -= 1
        if recorded.notice:
            complain(f"{recorded.notice}; dcl-comms recover {path} makes a whole copy")
        if recorded.unread:
            complain(f"{recorded.unread} messages are of a newer version, and were not read")


def _event_of(seen: Observation, *, packets: bool) -> Event | None:
    if isinstance(seen, Lost):
        complain(f"{seen.count:,} observations are missing here: the disk was slower than the room")
    if isinstance(seen, Received) and packets:
        return _raw(seen)
    if not isinstance(seen, Stepped) or type(seen.item) not in EVERY_KIND:
        return None
    event: Any = seen.item
    return None if packets and isinstance(event, PacketEvent) else event


def _raw(seen: Received) -> PacketReceived:
    try:
        kind, version = peek(seen.data)[:2]
    except DecodeError:
        kind, version = None, 0
    return PacketReceived(
        at=seen.at,
        room=seen.room,
        sender=seen.sender,
        private=seen.private,
        size=len(seen.data),
        data=seen.data,
        kind=kind,
        protocol_version=version,
        reliable=seen.reliable,
        topic=seen.topic,
    )
