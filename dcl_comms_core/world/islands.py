"""The island service's session, once the way led to one: made, told where we are, and given up if it does not end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from dcl_comms_core import events as ev
from dcl_comms_core.handshake.archipelago import ArchipelagoSession
from dcl_comms_core.handshake.heartbeats import check_desired_room
from dcl_comms_core.inputs import ClockSet
from dcl_comms_core.merged.sources import Preferring
from dcl_comms_core.states import RETRY, CloseReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_core.adapters.connection_string import ArchipelagoAdapter
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.merged.sources import IslandSource
    from dcl_comms_core.states import Timer
    from dcl_comms_core.tools.clock import Clock

__all__ = ["IslandService"]


class IslandService:
    """At most one source at a time.

    ``make``: makes one of an adapter, a link's number and where the realm is that named it; None: it can't be asked
    without a wallet.  ``new_link``: gives numbers.  ``foreign``: others may have the source too, so that it can have
    something at any time.
    """

    __slots__ = ("_clock", "_counted", "_desired", "_limits", "_make", "_new_link", "by", "foreign", "link", "news",
        "position", "source")  # fmt: skip

    def __init__(
        self,
        clock: Clock,
        limits: Limits,
        *,
        make: Callable[[ArchipelagoAdapter, int, Place | None], IslandSource | None],
        new_link: Callable[[], int],
        foreign: bool,
        position: tuple[float, float, float],
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._make = make
        self._new_link = new_link
        self._counted: Counter[str] = Counter()
        self._desired: str | None = None
        self.foreign = foreign
        self.source: IslandSource | None = None
        """None: the way led to none yet, or it is over."""
        self.link = 0
        """The number of its link."""
        self.by: float | None = None
        """When we are done with one that was told to close."""
        self.news: ev.IslandChanged | None = None
        """The newest island."""
        self.position = ev.Vector3(*position)
        """Where we are, in metres."""

    def begin(self, adapter: ArchipelagoAdapter, within: Place | None) -> bool:
        """Ask there.  False: it can't be, without a wallet."""
        self.link = self._new_link()
        source = self._make(adapter, self.link, within)
        if source is None:
            return False
        self.source = source
        clock = self._clock
        if clock.unix_offset is not None:
            source.receive(ClockSet(unix_offset=clock.unix_offset), now=clock.now)
        source.set_position(self.position, now=clock.now)
        if self._desired is not None:
            self._tell_desired(source)
        source.open(now=clock.now)
        return True

    def move(self, position: ev.Vector3) -> None:
        """Be there."""
        self.position = position
        if self.source is not None:
            self.source.set_position(position, now=self._clock.now)

    def prefer(self, island: str | None) -> None:
        """Have an island preferred, now and when it is asked anew.  PacketTooLarge: no server would take it."""
        check_desired_room(island)
        self._desired = island
        if self.source is not None:
            self._tell_desired(self.source)

    def _tell_desired(self, source: IslandSource) -> None:
        if isinstance(source, Preferring):
            source.set_desired_room(self._desired, now=self._clock.now)

    def receive(self, inp: Input) -> None:
        """Something came in on its link, or the clock was set."""
        if self.source is not None:
            self.source.receive(inp, now=self._clock.now)

    def handle_timeout(self) -> None:
        """Let time pass."""
        if self.source is not None:
            self.source.handle_timeout(self._clock.now)

    def take(self) -> tuple[list[Command], list[ev.Event]]:
        """Everything that it has."""
        return ([], []) if self.source is None else (self.source.commands(), self.source.events())

    def close(self) -> None:
        """End it; it has so long for it."""
        if self.source is not None:
            self.source.close(now=self._clock.now)
            if self.by is None:
                self.by = self._clock.now + self._limits.close_seconds

    def overdue(self) -> ev.RealmClosed | None:
        """Its end, if it was told to close and does not say in time that it did."""
        source, by = self.source, self.by
        if source is None or by is None or by > self._clock.now:
            return None
        reason, detail = CloseReason.CLIENT, "the source did not confirm its end"
        at, retry = self._clock.now, RETRY[reason]
        return ev.RealmClosed(at=at, room=source.room, reason=reason, retry=retry, detail=detail)

    def over(self) -> None:
        """It said that it is closed, or is given up."""
        self._counted = self.counters
        self.source = self.by = None

    @property
    def counters(self) -> Counter[str]:
        """What they counted, those that are over too."""
        counted = self._counted.copy()
        if isinstance(self.source, ArchipelagoSession):
            counted.update(self.source.counters)
        return counted

    def deadline(self) -> float | None:
        """When it is due."""
        due = None if self.source is None else self.source.deadline()
        return self.by if due is None or (self.by is not None and self.by < due) else due

    @property
    def timers(self) -> Mapping[Timer, float]:
        """Its timers; those of another make are its own business."""
        theirs: Mapping[Timer, float] = getattr(self.source, "timers", {})
        return theirs

    @property
    def reason(self) -> Timer | None:
        """The timer behind its own deadline, as far as it says so."""
        reason: Timer | None = getattr(self.source, "deadline_reason", None)
        return reason

    @property
    def place(self) -> Place | None:
        """Where it was reached: what it names may be opened within this."""
        place: Place | None = getattr(self.source, "place", None)
        return place
