"""The readers of one connection's events beside its main one, as a table of what each of them wants.

::

    readers = Readers(limits)
    answer = readers.wait_for(ChatReceived, sender=who, now=now, wake=look)
    readers.take(session.events(), now=now)  # calls look() once answer.event is there

Without IO: whoever turns a session gives it each batch, lets time pass, and is called back (``wake``) for each reader
that has something new.  An event costs one look into the table, and more only where somebody wants its kind.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.events import LimitReached, PeerIdentified
from dcl_comms_core.peers import peer_id
from dcl_comms_core.readers.kinds import kinds_of
from dcl_comms_core.readers.wanted import Heard, Sieve, Want

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from dcl_comms_core.events import Event
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.peers import Who

    Reader: TypeAlias = Want[Any] | Heard[Any]

__all__ = ["Readers"]

E = TypeVar("E")


class Readers:
    """Who waits for, or listens to, what of one connection's events; at most ``Limits.readers``."""

    __slots__ = ("_due", "_due_known", "_limits", "_named", "_readers", "_wanted")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._readers: dict[Reader, None] = {}
        """In the order in which they came, in which they are told."""
        self._wanted: dict[type, dict[Reader, None]] = {}
        """By each kind that somebody wants."""
        self._named: dict[Reader, None] = {}
        """Those who ask for somebody's packets, of whom a PeerIdentified may tell late that they were theirs."""
        self._due: float | None = None
        self._due_known = True

    def __len__(self) -> int:
        return len(self._readers)

    def wait_for(
        self,
        kind: type[E] | tuple[type[E], ...] | object,
        where: Callable[[E], object] | None = None,
        *,
        sender: Who | None = None,
        timeout: float | None = None,
        now: float,
        wake: Callable[[], None],
    ) -> Want[E]:
        """Want the first event of ``kind``, from ``sender``, for which ``where`` is true, of those from now on.

        ``kind``: see ``kinds_of``.  ``timeout``: seconds until it is ``expired``.  It leaves by itself once it is over.
        LocalProtocolError: a kind or a time that is none, or there are ``Limits.readers`` already.
        """
        known = timeout is None or isinstance(timeout, int | float)  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        if not known or (timeout is not None and not 0.0 <= timeout < inf):
            msg = f"timeout= takes seconds, not {timeout!r:.40}"
            raise LocalProtocolError(msg)
        sieve = self._sieve(kind, where, sender, now)
        want = Want(sieve, wake, None if timeout is None else now + timeout)
        self._add(want)
        if want.deadline is not None and self._due_known and (self._due is None or want.deadline < self._due):
            self._due = want.deadline
        return want

    def listen(
        self,
        kind: type[E] | tuple[type[E], ...] | object,
        where: Callable[[E], object] | None = None,
        *,
        sender: Who | None = None,
        closes: bool = False,
        now: float,
        wake: Callable[[], None],
    ) -> Heard[E]:
        """Want all events of ``kind``, from ``sender``, for which ``where`` is true, until ``leave``.

        ``closes``: what is not read in time ends it, instead of going.  A LimitReached stands in the place of what went
        for those who asked for that kind too.  LocalProtocolError as of ``wait_for``.
        """
        sieve = self._sieve(kind, where, sender, now)
        heard = Heard(sieve, wake, self._limits, closes=closes, tells=LimitReached in sieve.kinds)
        self._add(heard)
        return heard

    def leave(self, reader: Reader) -> None:
        """Want nothing more; nothing where it has left already."""
        reader.over = True
        if reader not in self._readers:
            return
        del self._readers[reader]
        self._named.pop(reader, None)
        for kind in reader.sieve.kinds:
            those = self._wanted[kind]
            del those[reader]
            if not those:
                del self._wanted[kind]
        if reader.deadline is not None and reader.deadline == self._due:
            self._due_known = False

    # --- what happens

    def take(self, events: list[Event], *, now: float) -> None:
        """Give each reader what it wants of this batch."""
        del now
        wanted = self._wanted
        for event in events:
            those = wanted.get(type(event))
            if those is not None:
                self._offer(event, tuple(those))
            if self._named and type(event) is PeerIdentified:
                for reader in tuple(self._named):
                    for early in reader.sieve.named_now(event):
                        self._offer(early, (reader,))

    def _offer(self, event: Event, readers: tuple[Reader, ...]) -> None:
        for reader in readers:
            # One whose ``where`` came before this one's may have had it leave.
            if not reader.over and reader.offer(event):
                if reader.over:
                    self.leave(reader)
                reader.wake()

    def wake(self) -> None:
        """Have all of them look: nothing more will come."""
        for reader in tuple(self._readers):
            reader.wake()

    # --- time

    def deadline(self) -> float | None:
        """When the first of those who wait is given up; None: nobody waits with a limit."""
        if not self._due_known:
            times = [reader.deadline for reader in self._readers if reader.deadline is not None]
            self._due, self._due_known = min(times, default=None), True
        return self._due

    def handle_timeout(self, now: float) -> None:
        """Let time pass."""
        for reader in tuple(self._readers):
            if isinstance(reader, Want) and reader.deadline is not None and reader.deadline <= now:
                reader.expire()
                self.leave(reader)
                reader.wake()

    # --- parts

    def _sieve(self, kind: object, where: Callable[[E], object] | None, sender: Who | None, now: float) -> Sieve[E]:
        if where is not None and not callable(where):
            msg = f"where= takes a function of the event, not {type(where).__name__}"
            raise LocalProtocolError(msg)
        if len(self._readers) >= self._limits.readers:
            msg = f"{len(self._readers)} wait or listen already, which is Limits.readers: end some before"
            raise LocalProtocolError(msg)
        return Sieve(kinds_of(kind), None if sender is None else peer_id(sender), where, now)

    def _add(self, reader: Reader) -> None:
        self._readers[reader] = None
        for kind in reader.sieve.kinds:
            self._wanted.setdefault(kind, {})[reader] = None
        if reader.sieve.who is not None:
            self._named[reader] = None
