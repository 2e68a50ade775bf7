"""One reader beside the main one: what it wants, and what it has got of that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, cast

from dcl_comms_core.errors import ListenerOverflow
from dcl_comms_core.room.event_queue import Unread

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.events import Event, PeerIdentified
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import PeerId

__all__ = ["Heard", "Sieve", "Want"]

E = TypeVar("E")


class Sieve(Generic[E]):
    """Which events pass: those of some kinds, from somebody, for which a function of the application's says so."""

    __slots__ = ("kinds", "since", "where", "who")

    def __init__(
        self, kinds: frozenset[type], who: PeerId | None, where: Callable[[E], object] | None, since: float
    ) -> None:
        self.kinds = kinds
        self.who = who
        self.where = where
        self.since = since
        """When it was asked for, in seconds of the host's clock."""

    def passes(self, event: Event) -> bool:
        """Whether this event of one of the kinds does.  What ``where`` raises comes out."""
        if self.who is not None and getattr(event, "sender", None) != self.who:
            return False
        return self.where is None or bool(self.where(cast("E", event)))

    def named_now(self, event: PeerIdentified) -> list[Event]:
        """What came without a sender since it was asked for, and is known now to be of whom we ask for."""
        if event.sender != self.who:
            return []
        return [early for early in event.early if type(early) in self.kinds and early.at >= self.since]


class Want(Generic[E]):
    """Somebody waits for the first event that passes."""

    __slots__ = ("deadline", "event", "expired", "failure", "over", "sieve", "wake")

    def __init__(self, sieve: Sieve[E], wake: Callable[[], None], deadline: float | None) -> None:
        self.sieve = sieve
        self.wake = wake
        """Called when there is something to look at."""
        self.deadline = deadline
        """When it is given up; None: never."""
        self.event: E | None = None
        """What it waited for, once that is there."""
        self.expired = False
        self.failure: Exception | None = None
        """What ``where`` raised."""
        self.over = False
        """It wants nothing more."""

    def offer(self, event: Event) -> bool:
        """Take the event if it is what is waited for.  True: there is something new."""
        try:
            if not self.sieve.passes(event):
                return False
        except Exception as error:  # noqa: BLE001 - the application's own, raised to whoever waits
            self.failure = error
        else:
            self.event = cast("E", event)
        self.over = True
        return True

    def expire(self) -> None:
        """Its time has come."""
        self.expired = self.over = True


class Heard(Generic[E]):
    """What somebody who listens did not read yet.

    Bounded as what the main reader did not read: at ``Limits.event_queue`` or ``event_queue_bytes`` the oldest go and
    are counted, or, with ``closes``, nothing more is taken and ``failure`` is ListenerOverflow.  A newer movement of a
    peer takes the place of an older one, as there.
    """

    __slots__ = ("_closes", "_tells", "_unread", "dropped", "failure", "over", "sieve", "wake")

    deadline: None = None

    def __init__(self, sieve: Sieve[E], wake: Callable[[], None], limits: Limits, *, closes: bool, tells: bool) -> None:
        self.sieve = sieve
        self.wake = wake
        """Called when there is something to look at."""
        self._unread = Unread(limits)
        self._closes = closes
        self._tells = tells
        self.dropped = 0
        """Events that were not read in time."""
        self.failure: Exception | None = None
        """Why nothing more is taken: ListenerOverflow, or what ``where`` raised.  For after the rest was read."""
        self.over = False
        """It wants nothing more."""

    def __len__(self) -> int:
        return len(self._unread)

    def offer(self, event: Event) -> bool:
        """Take the event if it passes.  True: there is something new."""
        try:
            if not self.sieve.passes(event):
                return False
        except Exception as error:  # noqa: BLE001 - the application's own, raised to whoever listens
            self.failure = error
            self.over = True
            return True
        unread = self._unread
        unread.put((event,))
        if unread.full:
            if self._closes:
                self.failure = ListenerOverflow(len(unread))
                self.over = True
            else:
                self.dropped += unread.trim(event.at, event.room, tell=self._tells)
        return True

    def popleft(self) -> E:
        """Take the first.  IndexError: there is none."""
        return cast("E", self._unread.popleft())

    def take(self) -> list[E]:
        """Take all."""
        return cast("list[E]", self._unread.take())
