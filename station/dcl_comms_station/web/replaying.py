"""Recordings as the Board plays them, and one that is being made."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from dcl_comms_core.tap import Tap
from dcl_comms_station.board.observed import Acknowledged, Counted, Missed, Received, Sent, Step
from dcl_comms_station.board.store.stage import Stage
from dcl_comms_station.board.store.timeline import Timeline
from dcl_comms_station.recording import InvalidRecording, Lost, Noted, open_recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dcl_comms_core.commands import Command, SendData
    from dcl_comms_core.events import Event
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.peers import PeerId
    from dcl_comms_station.board.limits import StationLimits
    from dcl_comms_station.board.observed import Observed
    from dcl_comms_station.recording import Observation

__all__ = ["FileRecording"]

_BINS: Final = 240
"""Of a time line, beside one at each end that is not full."""
_LEAST_STEP: Final = 0.05
"""Seconds."""


class FileRecording:
    """A file that plays.  OSError, InvalidRecording: it can't be read."""

    def __init__(self, path: Path) -> None:
        self._path, self._closed = path, False
        self._reader = open_recording(path)
        self.name = path.name
        self.first, self.last = self._reader.start, self._reader.end
        self.whole, self.notice = self._reader.whole, self._reader.notice

    def observations(self, before: float) -> Iterator[Observed]:
        """All of it from the last keyframe before that time on."""
        since = None if before <= self.first else before
        tap = _Collecting()
        for seen in self._reader.observations(since):
            yield from tap.take(seen)

    def survey(self, limits: StationLimits) -> Timeline | None:
        """What happens when in all of it, from a thread of its own; None: it is too long for that, or was closed."""
        if self._reader.count > limits.survey:
            return None
        stage = Stage(limits)
        stage.lenient = True
        stage.timeline = Timeline(max((self.last - self.first) / _BINS, _LEAST_STEP))
        tap = _Collecting()
        # What can't be read is missing in it, and told where it is played.
        with suppress(InvalidRecording, OSError), open_recording(self._path) as reader:
            for seen in reader.observations():
                if self._closed:
                    return None
                for one in tap.take(seen):
                    stage.observe(one)
                stage.news.clear()
        return stage.timeline

    def close(self) -> None:
        """Close the file: nothing plays any more."""
        self._closed = True
        self._reader.close()


class _Collecting(Tap):
    """What a recording's observation tells a tap, as the Board takes it."""

    def __init__(self) -> None:
        self._t = 0.0
        self._seen: list[Observed] = []

    def take(self, seen: Observation) -> list[Observed]:
        """The same for the Board."""
        self._t, self._seen = seen.time, []
        match seen:
            case Noted():
                self._seen.append(Counted(self._t, seen.values))
            case Lost():
                self._seen.append(Missed(self._t, seen.count))
            case _:
                seen.tell(self)
        return self._seen

    def received(
        self,
        at: float,  # noqa: ARG002 - the recording has the time
        room: str,
        sender: PeerId | None,
        data: bytes,
        *,
        reliable: bool,
        topic: str,
        private: bool,
        verdict: str,
    ) -> None:
        self._seen.append(Received(self._t, room, sender, data, reliable, topic, private, verdict))

    def sent(self, at: float, room: str, command: SendData) -> None:  # noqa: ARG002
        self._seen.append(Sent(self._t, room, command))

    def acknowledged(self, at: float, room: str, tokens: tuple[int, ...], *, failed: bool) -> None:  # noqa: ARG002
        self._seen.append(Acknowledged(self._t, room, tokens, failed))

    def step(self, at: float, item: Input | Command | Event) -> None:  # noqa: ARG002
        self._seen.append(Step(self._t, item))
