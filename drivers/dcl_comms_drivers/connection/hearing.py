"""What people say, as a connection gives it: ``room.utterances()``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Self, TypedDict

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.peers import peer_id
from dcl_comms_core.sound.utterances import Utterances
from dcl_comms_core.tools.arguments import require_whole
from dcl_comms_drivers.media.hearing import Ears, Utterance

if TYPE_CHECKING:
    from types import TracebackType

    from dcl_comms_core.peers import Who
    from dcl_comms_drivers.connection.base import BaseConnection
    from dcl_comms_drivers.connection.tracks import Tracks
    from dcl_comms_drivers.loops.signal import Signal

__all__ = ["Heard", "HearingSettings", "listen"]

_MOST_CHANNELS: Final = 8


class HearingSettings(TypedDict, total=False):
    """The keyword arguments of ``utterances``, the same for every driver."""

    sample_rate: int
    """Samples of one channel a second; 48,000."""
    channels: int
    """1: what is said through several is mixed."""
    level: float
    """What is louder is speech, from 0 to 1; 0.01."""
    silence: float
    """Seconds of quiet that end an utterance; 0.6."""
    longest: float
    """Seconds after which an utterance is cut, and goes on in the next one; 10."""
    shortest: float
    """Seconds of speech below which it was a click; 0.1."""
    margin: float
    """Seconds of what was before and after the speech that are kept with it; 0.2."""


def listen(room: BaseConnection, tracks: Tracks, who: Who | None, settings: HearingSettings) -> Ears:
    """Listen to all that is received and will be, or to one peer alone.

    LocalProtocolError: a number that can't be, an unknown setting, or a link without sound.
    """
    unknown = settings.keys() - HearingSettings.__annotations__.keys()
    if unknown:
        known = ", ".join(HearingSettings.__annotations__)
        msg = f"utterances() knows no {', '.join(sorted(unknown))}: there are {known}"
        raise LocalProtocolError(msg)
    rate, channels = settings.get("sample_rate", 48_000), settings.get("channels", 1)
    require_whole(channels, 1, _MOST_CHANNELS, "a number of channels")
    cut = partial(Utterances, **settings)
    # What is wrong with the numbers is said here, and not when somebody speaks.
    cut()
    tracks.check_sound()
    ears = Ears(
        lambda track: tracks.open_audio(track, rate, channels, None),
        cut,
        sender=None if who is None else peer_id(who),
        kept=room.driver.limits.utterances,
    )
    for peer in room.peers.values():
        for track in peer.tracks:
            ears.hear(peer.id, track)
    room.driver.chores.add(ears)
    return ears


class Heard:
    """Utterances as they end: ``async for who, sound in room.utterances()``.  Ends with the room, or with ``close``.

    It listens from when it was asked for until it is closed: ``async with`` closes it.
    """

    def __init__(self, room: BaseConnection, ears: Ears, progress: Signal) -> None:
        self._room = room
        self._ears = ears
        self._progress = progress

    @property
    def dropped(self) -> int:
        """Utterances that were not read in time: Limits.utterances are kept."""
        return self._ears.dropped

    def close(self) -> None:
        """Listen no more.  May be repeated."""
        self._room.driver.chores.remove(self._ears)
        self._ears.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Utterance:
        while (heard := self._ears.poll()) is None:
            if self._ears.ended or self._room.driver.ended:
                raise StopAsyncIteration
            await self._progress.wait()
        return heard

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
