"""One connection to a Pulse server: who it is, what it may still do, and whom it sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dcl_comms_core.errors import SendQueueFull
from dcl_comms_core.pulse.reasons import DisconnectReason
from dcl_comms_core.servers.pulse.areas import NO_AREA
from dcl_comms_core.servers.pulse.buckets import Bucket
from dcl_comms_core.states import Stage

if TYPE_CHECKING:
    from collections import Counter

    from dcl_comms_core.enet import EnetPeer
    from dcl_comms_core.servers.pulse.areas import Area
    from dcl_comms_core.servers.pulse.door import Entry
    from dcl_comms_core.servers.pulse.settings import PulseSettings
    from dcl_comms_core.servers.pulse.subjects import Subject, View

__all__ = ["Connection"]

_RELIABLE: Final = 0
_UNRELIABLE: Final = 1


class Connection:
    """Its stage is PROVING until it has proved who it is, WELCOMED then, and IDLE once it is to go."""

    __slots__ = (
        "_counters", "area", "asked", "attempts", "corrupt", "entry", "events", "inputs", "moved_realm", "passing",
        "peer", "session", "stage", "subject", "views", "wallet",
    )  # fmt: skip

    def __init__(self, peer: EnetPeer, entry: Entry, settings: PulseSettings, counters: Counter[str]) -> None:
        self.peer = peer
        self.entry = entry
        self.stage = Stage.PROVING
        self.attempts = 0
        self.inputs = Bucket(settings.input_burst, 1_000 // settings.input_rate)
        self.events = Bucket(settings.event_burst, 1_000 // settings.event_rate)
        self.corrupt = Bucket(settings.corrupt_burst, 60_000 // settings.corrupt_minute)
        self.subject: Subject | None = None
        """Of a player; None: it is a listener, or nobody yet."""
        self.area: Area = NO_AREA
        """Of a listener."""
        self.wallet = ""
        self.session = ""
        self.views: dict[int, View] = {}
        """By subject id."""
        self.asked: set[int] = set()
        """Of whom a full state was asked for since the last tick."""
        self.moved_realm = False
        """Since the last tick."""
        self.passing: list[bytes] = []
        """What it is told in this tick and may be lost."""
        self._counters = counters

    def send(self, message: bytes) -> None:
        """Send a message that arrives, if anybody is still there to get it."""
        if self.peer.open:
            try:
                self.peer.send(message, channel=_RELIABLE)
            except SendQueueFull:
                self._takes_little()

    def pass_on(self) -> None:
        """Send what is passing."""
        messages, self.passing = self.passing, []
        if messages and self.peer.open:
            try:
                self.peer.send_many(messages, channel=_UNRELIABLE)
            except SendQueueFull:
                self._takes_little()

    def _takes_little(self) -> None:
        # It acknowledges, or it would be gone, but takes less than there is to see.
        self.end(DisconnectReason.NONE)

    def end(self, reason: DisconnectReason) -> None:
        """Let it go: what waits is thrown away, and what it says from now on is not heard."""
        self.stage = Stage.IDLE
        self._counters[f"ended.{reason.name.lower()}"] += 1
        self.peer.disconnect(reason)
