"""A recording as it is made: what a tap is told becomes messages of an MCAP file.  No thread, no clock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, get_args

from dcl_comms_core.events import PacketEvent, PeerMoved
from dcl_comms_core.packets.events import ChatReceived
from dcl_comms_core.readers.kinds import EVERY_KIND
from dcl_comms_core.records.filters import TapPacket
from dcl_comms_station.recording import steps, viewers
from dcl_comms_station.recording.container import Container
from dcl_comms_station.recording.keyframes import Newest
from dcl_comms_station.recording.packets import PacketWriter
from dcl_comms_station.recording.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import IO, Any

    from dcl_comms_core.commands import Command, SendData
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.peers import PeerId
    from dcl_comms_station.recording.times import Times

__all__ = ["RecordingWriter"]

_ABOUT_PACKETS: Final = frozenset(get_args(PacketEvent))
_KEYFRAME_SECONDS: Final = 30.0
_SCENE_SECONDS: Final = 0.2
_STATS_SECONDS: Final = 1.0
_NANO: Final = 1_000_000_000
_README: Final = b"""A recording of Decentraland comms, by dcl-comms.

/ROOM/packets holds every packet byte for byte, /events what the application was told. /chat, /log and /scene are made
of these, for viewers. It holds other people's words and ways: do not pass it on without their consent.
dcl-comms export FILE --redact writes it with names and texts replaced.
"""


class RecordingWriter:
    """A tap that writes into a stream at once.  What it raises, beside OSError, is a bug of ours.

    ``keep``: which packets and events are kept, asked with a TapPacket or an event; then inputs, commands and
    acknowledgements are not.  ``scene``: whether /scene is written, which viewers show in three dimensions.
    """

    def __init__(
        self,
        stream: IO[bytes],
        times: Times,
        *,
        about: Mapping[str, str],
        scene: bool = True,
        keep: Callable[[Any], bool] | None = None,
    ) -> None:
        self._file = Container(stream)
        self._times = times
        self._file.say("session", {"format": "1", **about, "unix_ns": str(times.unix_ns)})
        self._file.attach(0, "README.txt", "text/plain", _README)
        self._topics = Topics(self._file)
        self._packets = PacketWriter(times)
        self._newest = Newest()
        self._scene = viewers.Scene() if scene else None
        self._keep = keep
        self._counts: dict[str, int] = {}
        self._keyframe_due = self._scene_due = self._stats_due = self._due = float("-inf")
        self.dirty = False
        """Whether something came since the last flush."""

    @property
    def count(self) -> int:
        """Messages in the file."""
        return self._file.count

    def received(
        self,
        at: float,
        room: str,
        sender: PeerId | None,
        data: bytes,
        *,
        reliable: bool,
        topic: str,
        private: bool,
        verdict: str,
    ) -> None:
        """A packet came."""
        log_time = self._time(at)
        self._count(f"in.{verdict.partition('@')[0]}")
        how: dict[str, Any] = {"reliable": reliable, "topic": topic, "private": private, "verdict": verdict}
        if self._keep is None or self._keep(TapPacket(at=at, room=room, sender=sender, data=data, **how)):
            envelope = self._packets.received(at, log_time, room, sender, data, **how)
            self._file.add(self._topics.packets(room), log_time, envelope)

    def sent(self, at: float, room: str, command: SendData) -> None:
        """A packet of ours was given to the transport."""
        log_time = self._time(at)
        self._count("out")
        packet = TapPacket.sent(at, room, command)
        if self._keep is not None and not self._keep(packet):
            return
        envelope = self._packets.sent(at, log_time, room, command)
        self._file.add(self._topics.packets(room), log_time, envelope)
        said = packet.event
        if isinstance(said, ChatReceived):
            level = viewers.WARNING if command.to is not None else viewers.INFO
            self._file.add(self._topics.one("/chat"), log_time, viewers.log(log_time, level, "we", said.text))

    def acknowledged(self, at: float, room: str, tokens: tuple[int, ...], *, failed: bool) -> None:
        """The transport took packets of ours, or did not."""
        log_time = self._time(at)
        self._count("failed" if failed else "acknowledged", len(tokens))
        if self._keep is None:
            document = steps.write_acknowledged(at, room, tokens, failed=failed)
            self._file.add(self._topics.acknowledged(room), log_time, document)

    def step(self, at: float, item: Input | Command | Event) -> None:
        """An input, a command or an event that is no packet itself."""
        log_time = self._time(at)
        kind = type(item)
        if kind not in EVERY_KIND:
            if self._keep is None:
                self._file.add(self._topics.one("/learn"), log_time, steps.write_step(at, item))
            return
        event: Any = item
        self._newest.take(event)
        if self._scene is not None:
            self._scene.take(event)
        if self._keep is not None and not self._keep(event):
            return
        if kind is PeerMoved:  # the most by far, and nothing of it is for people to read
            self._file.add(self._topics.told(event.room), log_time, self._packets.told(at, log_time, event))
            return
        if kind in _ABOUT_PACKETS:
            self._file.add(self._topics.told(event.room), log_time, self._packets.told(at, log_time, event))
        else:
            document = steps.write_event(at, log_time, self._times, event)
            self._file.add(self._topics.one("/events"), log_time, document)
        chat = viewers.chat_of(log_time, event)
        if chat is not None:
            stamp = event.sent_at
            published = None if stamp is None else min(max(round(stamp * _NANO), 0), 2**63 - 1)
            self._file.add(self._topics.one("/chat"), log_time, chat, published)
        line = viewers.log_of(log_time, event)
        if line is not None:
            self._file.add(self._topics.one("/log"), log_time, line)

    def lost(self, since: float, until: float, count: int) -> None:
        """Observations were let go before this."""
        log_time = self._time(until)
        self._count("lost", count)
        self._file.add(self._topics.one("/gap"), log_time, steps.write_lost(since, until, count))
        said = viewers.log(
            log_time, viewers.ERROR, "recording", f"{count} observations are missing: the disk was slower"
        )
        self._file.add(self._topics.one("/log"), log_time, said)

    def note(self, at: float, values: Mapping[str, object]) -> None:
        """Figures of the connection, from whoever has them."""
        log_time = self._time(at)
        self._file.add(self._topics.one("/stats"), log_time, json.dumps({"at": at, **values}).encode())

    def sound(self, at: float, who: PeerId, samples: bytes, rate: int, channels: int) -> None:
        """What somebody is heard to say: 16-bit samples."""
        log_time = self._time(at)
        self._file.add(self._topics.sound(who.text), log_time, viewers.sound(log_time, samples, rate, channels))

    def flush(self) -> None:
        """What came until now can be read, whatever happens to us."""
        if self.dirty:
            self._file.flush()
            self.dirty = False

    def finish(self) -> None:
        """Write the index; nothing may come after it."""
        self._file.finish()

    # --- parts

    def _count(self, name: str, count: int = 1) -> None:
        self._counts[name] = self._counts.get(name, 0) + count

    def _time(self, at: float) -> int:
        log_time = self._times.log_time(at)
        self.dirty = True
        if at >= self._due:
            self._periodic(at, log_time)
        return log_time

    def _periodic(self, at: float, log_time: int) -> None:
        """What is written from time to time, before what comes now."""
        if at >= self._keyframe_due:
            self._keyframe_due = at + _KEYFRAME_SECONDS
            keyframe = steps.write_keyframe(at, self._newest.events())
            self._file.add(self._topics.one("/peers/keyframe"), log_time, keyframe)
        if at >= self._stats_due:
            self._stats_due = at + _STATS_SECONDS
            counts = json.dumps({"at": at, "counts": self._counts}).encode()
            self._file.add(self._topics.one("/stats"), log_time, counts)
        if self._scene is not None and at >= self._scene_due:
            self._scene_due = at + _SCENE_SECONDS
            update = self._scene.update(log_time)
            if update is not None:
                self._file.add(self._topics.one("/scene"), log_time, update)
        self._due = min(self._keyframe_due, self._stats_due, self._scene_due)
