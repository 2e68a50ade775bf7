"""What the server was asked for and has not answered: told by its number, and asked again after a resume.

An answer that the server meant for us while there was no socket is lost.

A track for data, through which nothing is sent, makes us somebody who publishes: of these the server tells others at
once, that they come and that they go; of whoever has none it tells every 3 seconds.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final

from dcl_comms_core.proto import livekit

if TYPE_CHECKING:
    from dcl_comms_core.livekit.signals import Signals

__all__ = ["Requests"]

_TRACK: Final = livekit.PublishDataTrackRequest(pub_handle=1, name="dcl-comms")
_PUBLISHED: Final = frozenset({livekit.RequestOutcome.OK, livekit.RequestOutcome.DUPLICATE_HANDLE})
"""What a track of ours is answered with that is there: asked again, it was there already."""


class Requests:
    """Of one session.  ``most``: how many may be unanswered."""

    __slots__ = ("_asked", "_most", "_numbers", "_publishing", "_signals")

    def __init__(self, signals: Signals, most: int) -> None:
        self._signals = signals
        self._most = most
        self._numbers = count(1)
        self._asked: dict[int, dict[str, str]] = {}
        """Attributes, by the request's number."""
        self._publishing = False

    def ask(self, attributes: dict[str, str]) -> bool:
        """Ask for attributes of ours.  False: too much is unanswered."""
        if len(self._asked) >= self._most:
            return False
        number = next(self._numbers)
        self._asked[number] = attributes
        self._send(number)
        return True

    def again(self) -> None:
        """Ask for all once more: there is another socket."""
        for number in self._asked:
            self._send(number)
        if self._publishing:
            self._send_track()

    def publish(self) -> None:
        """Ask for a track for data."""
        if not self._publishing:
            self._publishing = True
            self._send_track()

    def _send_track(self) -> None:
        self._signals.send(livekit.SignalRequest(publish_data_track_request=_TRACK))

    def published(self, outcome: livekit.RequestOutcome) -> bool | None:
        """Whether our track for data is there, by the answer; None: we did not ask for one."""
        asked, self._publishing = self._publishing, False
        return outcome in _PUBLISHED if asked else None

    def _send(self, number: int) -> None:
        change = livekit.UpdateParticipantMetadata(attributes=self._asked[number], request_id=number)
        self._signals.send(livekit.SignalRequest(update_metadata=change))

    def answered(self, outcome: livekit.RequestResponse) -> dict[str, str] | None:
        """The attributes that an answer is about; None: nothing that we asked for, or it is not the last word."""
        if outcome.reason is livekit.RequestOutcome.QUEUED:
            return None
        return self._asked.pop(outcome.request_id, None)
