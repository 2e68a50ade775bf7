"""What turns a connection: its session, its link and its wallet, on a host, until they are over."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, cast

from dcl_comms_core.errors import ConnectionLost, InvalidConnectionString, LocalProtocolError
from dcl_comms_core.events import RoomClosed, Vector3, WarningCode, WorldClosed
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.inputs import ClockSet
from dcl_comms_core.states import RETRY, CloseReason, RoomState
from dcl_comms_core.tools.bare import raises_bare
from dcl_comms_core.tools.labels import Label
from dcl_comms_drivers.connection.inbox import Inbox
from dcl_comms_drivers.connection.journal_file import JournalFile
from dcl_comms_drivers.connection.names import Names
from dcl_comms_drivers.connection.opening import new_session, resolve
from dcl_comms_drivers.logs import observed
from dcl_comms_drivers.loops.chores import Chores
from dcl_comms_drivers.loops.pump import Pump

if TYPE_CHECKING:
    from collections.abc import Callable

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.events import Event
    from dcl_comms_core.room.session import RoomSession
    from dcl_comms_core.world.session import WorldSession
    from dcl_comms_drivers.connection.signing import Asking
    from dcl_comms_drivers.connection.surroundings import Surroundings
    from dcl_comms_drivers.loops.host import LoopHost, Session
    from dcl_comms_drivers.settings import Options

__all__ = ["Driver"]

_LEAVING: Final = (RoomState.CLOSING, RoomState.CLOSED)
"""No set: the hash of an enum's member is a function of Python, and each packet asks."""
_ORPHANED: Final = "its event loop was closed with the room open, which we leave now: leave the block before that"


class Driver:
    """One connection at work.  All of it is for the loop's thread, except ``wake``.

    ``changed`` is called when there may be something to read, or there will be no more; ``progressed`` when the session
    had a turn.
    """

    @raises_bare(InvalidConnectionString)
    def __init__(
        self,
        target: str | Adapter,
        host: LoopHost,
        options: Options,
        surroundings: Surroundings,
        *,
        changed: Callable[[], None],
        progressed: Callable[[], None],
    ) -> None:
        where = resolve(target, options.limits)
        options, self._log = observed(options)
        self.host = host
        self.limits = options.limits
        self.position = Vector3(*options.position)
        """Where we begin."""
        self.crash: Exception | None = None
        """What ended the connection and is no event: a bug of ours, or an error of the wallet's."""
        self._process = os.getpid()
        self._orphaned = False
        """Was the loop closed while we were in?"""
        self._surroundings = surroundings
        self._changed = changed
        self._progressed = progressed
        # Nobody has a turn before ``start``.
        self._wake_pending = True
        self._round_trip: tuple[float, float] | None = None
        self.answers = 0
        """How often the round trip was answered for, be it that it is not known."""
        self._journal = JournalFile(options.journal, options.limits, stopped=self.wake)
        self._journal_told = False
        try:
            self.session, self.realm = new_session(
                where,
                options,
                self._journal.session,
                entropy=surroundings.entropy(),
                islands=surroundings.islands,
            )
        except BaseException:
            self._journal.close()
            raise
        self.inbox = Inbox(options.limits, options.on_full, RoomClosed if self.realm is None else WorldClosed)
        self.link, self._signing, net = surroundings.carry(
            where, self.realm, options, host, wake=self.wake, turn=self.turn
        )
        self.chores = Chores()
        """What is turned beside the session."""
        self.names = Names(self.session, self.realm, net, options, getattr(options.wallet, "address", None))
        """Who is who."""
        self.chores.add(self.names)
        # A realm's link tells its session of which room each packet is.
        session = cast("Session", self.session)
        self._pump = Pump(
            session,
            host,
            self.link,
            self._take,
            turn_inputs=options.limits.turn_inputs,
            later=self.turn,
            wake=self.wake,
            tap=options.tap,
            chores=self.chores,
        )

    # --- verbs

    def begin(self) -> tuple[RoomSession | WorldSession, float]:
        """What a verb begins with: the session, and the time.  Raises what ``check`` raises."""
        self.check()
        return self.session, self.host.now()

    def check(self) -> None:
        """Raise what makes all verbs useless.

        ConnectionLost: it is over, or we are leaving; what ended it, where that was no event; LocalProtocolError: it is
        the connection of the process that forked this one.
        """
        if self.elsewhere:
            msg = "this connection is that of the process that forked this one: connect in a process started with spawn"
            raise LocalProtocolError(msg)
        if not self.host.running:
            # Where the host was not told of it.
            self._outlive()
        if self.ended or self.session.state in _LEAVING:
            detail = _ORPHANED if self._orphaned else "we left it: connect again"
            raise self.failure or ConnectionLost(CloseReason.CLIENT, RETRY[CloseReason.CLIENT], detail)

    def _outlive(self) -> None:
        """The loop was closed with us in the room."""
        if not self.ended and not self.elsewhere:
            self._orphaned = True
            self.abandon()

    @property
    def elsewhere(self) -> bool:
        """Whether this is a process that was forked off: what it would close is the other's, which goes on."""
        return os.getpid() != self._process

    # --- turns

    def start(self) -> None:
        """Begin to join."""
        self.host.at_end(self._outlive)
        now = self.host.now()
        self.session.receive(ClockSet(unix_offset=self._surroundings.unix_now() - now), now=now)
        if self._signing is None:
            self.session.open(now=now)
        self.woken()

    def wake(self) -> None:
        """Thread-safe: have a turn soon.  One, however many turns come first: else each would ask for one more."""
        if not self._wake_pending:
            self._wake_pending = True
            self.host.wake(self.woken)

    def woken(self) -> None:
        """The turn that was asked for."""
        self._wake_pending = False
        self.turn()

    def turn(self) -> None:
        """One turn."""
        self.guarded(self._step)

    def after(self) -> None:
        """An intent was used: carry it out now."""
        self.guarded(self._pump.carry_out)

    def close(self, drain: float | None) -> None:
        """Begin to leave."""
        self.session.close(drain=drain, now=self.host.now())
        self.guarded(self._step)

    def guarded(self, step: Callable[[], None]) -> None:
        """A bug of ours ends the connection and reaches the application, instead of a loop's log."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - kept, and raised to whoever reads or closes
            self.crash = error
            self._let_go()
            self._changed()
        self._progressed()

    def abandon(self) -> None:
        """Let go of everything at once, without a word to the server if need be."""
        if self.elsewhere:
            return
        self._let_go()
        self._journal.close()

    def _let_go(self) -> None:
        if self._signing is not None:
            self._signing.abandon()
        self.link.abandon()

    def _step(self) -> None:
        signing = self._signing
        if signing is not None and not self.ended:
            # Opened once there is a login; then what the session asked for is signed.
            now = self.host.now()
            if self.session.state is RoomState.NEW and signing.ready():
                self.session.open(now=now)
            signing.answer(cast("Asking", self.session), now)
        self._pump.turn()
        self._tell_of_journal()

    def _tell_of_journal(self) -> None:
        text = self._journal.problem
        if text is None or self._journal_told or self.ended:
            return
        self._journal_told = True
        room = Label("", self.session.clock)
        self._take([WarningEvent(at=self.host.now(), room=room, code=WarningCode.JOURNAL_STOPPED, text=text)])

    def _take(self, events: list[Event]) -> None:
        self._surroundings.seen(events)
        if self._log is not None:
            for event in events:
                self._log.step(event.at, event)
        inbox = self.inbox
        if inbox.end is not None:
            return  # we closed it ourselves because nobody read; what follows is only our own leaving
        if self._signing is not None:
            events = self._signing.take(events)
            self._signing.answer(cast("Asking", self.session), self.host.now())
            if not events:
                return
        self.chores.take(events, now=self.host.now())
        if inbox.put(events):
            self._let_go()
        if inbox.end is not None and inbox.end is not events[-1]:
            self.session.close(drain=0.0)
        self._changed()

    # --- the end

    @property
    def ended(self) -> bool:
        """Whether nothing more will come than what is unread."""
        return self.inbox.end is not None or self.crash is not None or self._orphaned

    @property
    def over(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.session.state is RoomState.CLOSED or self.crash is not None or self._orphaned

    @property
    def failure(self) -> Exception | None:
        """What ended the connection, if it was neither we nor nothing."""
        return self.crash or self.inbox.failure

    # --- the round trip

    @property
    def round_trip(self) -> tuple[float, float] | None:
        """Seconds to the server and back, and when that was measured; None: never."""
        return self._round_trip

    def measure(self) -> None:
        """Have it measured again."""
        self.guarded(lambda: self.link.measure(self._measured))

    def hasten(self) -> None:
        """Have what is under way acknowledged soon."""
        self.guarded(self.link.hasten)

    def _measured(self, seconds: float | None) -> None:
        self.answers += 1
        if seconds is not None:
            self._round_trip = seconds, self.host.now()
