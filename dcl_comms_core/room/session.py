"""RoomSession: one room over any transport, as a pure state machine.

The canonical loop, after any call::

    for command in session.commands(): transport.carry_out(command)
    for event in session.events(): application.handle(event)
    arm_one_timer(session.deadline())

Feed facts with ``receive(inp, now=...)`` or, for packets, ``receive_data(...)``; let time pass with
``handle_timeout(now)``.  Neither raises for anything that a peer or a server sent.  Intents (``chat``, ``move``, ...)
say what the application wants and raise LocalProtocolError when they are misused.

``now`` is monotonic seconds of the host's clock.  Intents may leave it out; they then use the latest one that the
session saw.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, ClassVar, Final

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.connection_string import LiveKitAdapter, SimulatorAdapter
from dcl_comms_core.commands import CloseLink, OpenLink, PublishMicrophone, SetAttributes
from dcl_comms_core.errors import (
    LocalProtocolError,
    PermissionMissing,
    TokenExpired,
    TokenNotYetValid,
)
from dcl_comms_core.inputs import (
    ClockSet,
    CommandCompleted,
    CommandFailed,
    DataReceived,
    LinkClosed,
    LinkFailed,
    LinkInput,
    LinkOpened,
    LinkReconnected,
    LinkReconnecting,
    LinkRef,
    PacketsDropped,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    SendAcknowledged,
    SendsAcknowledged,
    SpeakersHeard,
)
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.peers import PeerId
from dcl_comms_core.room.incoming.inbound import RECEIVING
from dcl_comms_core.room.options import Delivery, Subscribe
from dcl_comms_core.room.tracks import Tracking
from dcl_comms_core.states import RETRY, ROOM_TRANSITIONS, CloseReason, Retry, RoomState, RoomTrigger, Timer
from dcl_comms_core.tools.prng import Prng

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.packets.movement import MovementCodec
    from dcl_comms_core.room.incoming.dedupe import Seen
    from dcl_comms_core.room.options import SubscribePolicy
    from dcl_comms_core.tools.backoff import Backoff

__all__ = ["Delivery", "RoomSession"]

_ATTRIBUTES: Final = (("client", "dcl-comms"),)


class RoomSession(Tracking):
    """One room.  Makes no connection, reads no clock, starts nothing.

    ``adapter``: where to go, from ``parse_connection_string``.  ``room``: the label in events.  ``reconnect``: how to
    join anew after the link is lost, None for never; the first attempt is never repeated.  ``entropy``: seeds the
    jitter of the pauses.  ``announce``: let the server announce us at once, where the token allows it (else others
    learn of us up to 3 s late and see our first packets without a sender).  ``subscribe``: which tracks of others to
    receive.  ``seen``: shared by the rooms of one application, so that what comes through several of them is told once.
    ``movement_codec``: reads compressed movements, which are told as PacketReceived without it.  ``profile_version``:
    announced from the beginning, and again and again: Unity clients hardly talk to who does not.  ``silent``: never
    announce by itself, whatever that costs.
    """

    _adapters: ClassVar[tuple[type[Adapter], ...]] = (LiveKitAdapter, SimulatorAdapter)

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        adapter: Adapter,
        *,
        room: str = "main",
        link: int = 1,
        limits: Limits = DEFAULT_LIMITS,
        entropy: int = 0,
        reconnect: Backoff | None = None,
        delivery: Delivery = Delivery.EVENTS,
        subscribe: SubscribePolicy = Subscribe.ALL,
        announce: bool = True,
        seen: Seen | None = None,
        movement_codec: MovementCodec | None = None,
        profile_version: int | None = None,
        silent: bool = False,
    ) -> None:
        if not isinstance(adapter, self._adapters):
            wanted = " or ".join(kind.__name__ for kind in self._adapters)
            msg = f"a {type(self).__name__} takes a {wanted}, not {type(adapter).__name__}"
            raise LocalProtocolError(msg)
        token = adapter.token if isinstance(adapter, LiveKitAdapter) else None
        super().__init__(
            room,
            LinkRef(link, 0),
            token,
            limits,
            delivery=delivery,
            seen=seen,
            codec=movement_codec,
            profile_version=profile_version,
            silent=silent,
        )
        self._adapter = adapter
        self._prng = Prng(entropy)
        self._backoff = reconnect
        self._policy = subscribe
        self._announce = announce
        self._attempt = 0
        self._opened_once = False
        self._open_since: float | None = None
        self._closing_at: float | None = None

    # --- what the world may ask

    @property
    def adapter(self) -> Adapter:
        """Where it goes."""
        return self._adapter

    @property
    def link(self) -> LinkRef:
        """Its link, as its commands name it now."""
        return self._link

    # --- opening and closing

    def open(self, *, now: float | None = None) -> None:
        """Join the room.  The answer is RoomOpened or RoomClosed."""
        self._pass_time(now)
        if (self._state, RoomTrigger.OPEN) not in ROOM_TRANSITIONS:
            msg = f"the session is {self._state.value}: make a new RoomSession to join again"
            raise LocalProtocolError(msg)
        if not self._refused():
            self._move(RoomTrigger.OPEN)
            self._open_link()

    def close(self, *, drain: float | None = None, now: float | None = None) -> None:
        """Leave, after letting reliable packets that were accepted go out for up to ``drain`` seconds.

        Closing again is allowed and may only shorten the wait.  RoomClosed(CLIENT) follows.
        """
        self._pass_time(now)
        drain = self._limits.drain_seconds if drain is None else max(drain, 0.0)
        if not isfinite(drain):
            msg = "drain is a finite number of seconds"
            raise LocalProtocolError(msg)
        until = self._now + drain
        before = self._state
        self._move(RoomTrigger.CLOSE)
        if before is RoomState.CLOSED:
            return
        if self._state is RoomState.CLOSED:
            self._finish(CloseReason.CLIENT, "")
        elif before is not RoomState.CLOSING:
            if before is RoomState.RECONNECTING:
                self._timers.disarm(Timer.REPAIR)
            self._forget_movements()
            self._rest()
            self._closing_at = until if before in RECEIVING else self._now
            self._continue_closing()
        elif self._closing_at is not None:
            self._closing_at = min(until, self._closing_at)
            self._continue_closing()
        else:
            self._timers.hasten(Timer.CLOSE, until + self._limits.close_seconds)

    def _continue_closing(self) -> None:
        """Tell the link to close as soon as the queue is empty or its time is over."""
        if self._closing_at is None:
            return
        left = self._closing_at - self._now
        if self._outbox.waiting and left > 0.0:
            self._timers.arm(Timer.CLOSE, self._closing_at)
            return
        self._closing_at = None
        self._timers.clear()
        self.counters["dropped"] += self._outbox.clear()
        left = max(left, 0.0)
        self._timers.arm(Timer.CLOSE, self._now + left + self._limits.close_seconds)
        self._commands.append(CloseLink(link=self._link, drain=left))

    def _open_link(self) -> None:
        self._link = LinkRef(self._link.link, self._link.generation + 1)
        self._timers.arm(Timer.CONNECT, self._now + self._limits.connect_seconds)
        auto_subscribe = self._policy is Subscribe.ALL
        self._commands.append(OpenLink(link=self._link, adapter=self._adapter, auto_subscribe=auto_subscribe))

    def _refused(self) -> bool:
        """Close the session if the token can't be used any more (or yet, or at all)."""
        token = self._token
        if token is None:
            return False
        # Without a wall clock the token's times can't be judged here; the server will.
        unix_now = (token.not_before or 0.0) if self._unix_offset is None else self._now + self._unix_offset
        try:
            token.check(unix_now=unix_now, publish=False)
        except TokenExpired as error:
            reason, detail = CloseReason.TOKEN_EXPIRED, str(error)
        except TokenNotYetValid as error:
            reason, detail = CloseReason.TOKEN_NOT_YET_VALID, str(error)
        except PermissionMissing as error:
            reason, detail = CloseReason.PERMISSION, str(error)
        else:
            return False
        self._move(RoomTrigger.REFUSED)
        self._finish(reason, detail)
        return True

    # --- time

    def handle_timeout(self, now: float) -> None:  # noqa: C901 - one flat dispatch
        """Let time pass.  Calling it too early or too often does nothing."""
        self._pass_time(now)
        while (timer := self._timers.pop_due(self._now)) is not None:
            if timer is Timer.CONNECT:
                self._give_up(f"no answer within {self._limits.connect_seconds:g} s")
            elif timer is Timer.REPAIR:
                self._give_up(f"not repaired within {self._limits.repair_seconds:g} s")
            elif timer is Timer.ANNOUNCE:
                self._flow()
            elif timer is Timer.MOVEMENT:
                self._release_movements()
            elif timer is Timer.MOVE:
                self._walk()
            elif timer is Timer.PRESENCE:
                self._announce_now()
            elif timer is Timer.RETRY:
                if not self._refused():
                    self._move(RoomTrigger.RETRY)
                    self._open_link()
            elif self._closing_at is not None:
                self._closing_at = self._now
                self._continue_closing()
            else:
                self._move(RoomTrigger.ENDED)
                self._finish(CloseReason.CLIENT, "the link did not confirm its end")

    def _give_up(self, detail: str) -> None:
        """Leave a link from which nothing comes."""
        self._commands.append(CloseLink(link=self._link))
        self._link_over(CloseReason.TIMEOUT, detail)

    # --- inputs

    def receive(self, inp: Input, *, now: float) -> None:  # noqa: C901, PLR0912 - one flat dispatch
        """Take a fact from outside.  LocalProtocolError: not an input, or the host gave a time that is not finite."""
        self._pass_time(now)
        if isinstance(inp, ClockSet):
            if not isfinite(inp.unix_offset):
                msg = "ClockSet takes a finite number of seconds"
                raise LocalProtocolError(msg)
            self._unix_offset = inp.unix_offset
            return
        if not isinstance(inp, LinkInput):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            msg = f"receive() takes an input of dcl_comms_core.inputs, not {type(inp).__name__}"
            raise LocalProtocolError(msg)
        if inp.link != self._link or self._state is RoomState.CLOSED:
            self.counters["late"] += 1
            return
        match inp:
            case SendAcknowledged():
                self._on_acknowledged(inp)
                self._continue_closing()
            case SendsAcknowledged():
                self.receive_acknowledged(inp.tokens, now=self._now)
            case DataReceived():
                self.receive_data(
                    inp.sender, inp.data, reliable=inp.reliable, topic=inp.topic, now=self._now, source=inp.source
                )
            case LinkOpened():
                self._on_opened(inp)
            case LinkFailed() | LinkClosed():
                self._link_over(inp.reason, inp.detail)
            case LinkReconnecting():
                self._on_reconnecting()
            case LinkReconnected():
                self._on_reconnected()
            case CommandCompleted() | CommandFailed():
                self._on_answered(inp)
            case _ if self._state not in RECEIVING:
                self.counters["late"] += 1
            case PacketsDropped():
                self.counters["dropped.inbox_bytes"] += inp.count
                limit = self._limits.inbox_bytes
                self._events.append(ev.LimitReached(at=self._now, room=self._room, limit="inbox_bytes", value=limit))
            case ParticipantJoined():
                self._events += self._roster.join(inp.participant, self._now, inp.source)
                self._welcome()
            case ParticipantUpdated():
                self._roster.update(inp.participant)
            case ParticipantLeft():
                self._events += self._roster.leave(inp.identity, self._now)
            case SpeakersHeard():
                speakers = tuple(map(self._roster.peer_id, inp.identities))
                self._events.append(ev.SpeakersChanged(at=self._now, room=self._room, speakers=speakers))
            case _:
                self._on_track(inp)

    def receive_acknowledged(self, tokens: Iterable[int], *, now: float) -> None:
        """Take acknowledgements of packets of the current link, none of which failed.

        What ``receive(SendAcknowledged(...))`` does for each, without the objects.
        """
        self._pass_time(now)
        acknowledge = self._outbox.acknowledge
        late = sent = sent_bytes = 0
        for token in tokens:
            size = acknowledge(token)
            if size is None:
                late += 1
            else:
                sent += 1
                sent_bytes += size
        counters = self.counters
        counters["sent"] += sent
        counters["sent_bytes"] += sent_bytes
        counters["late"] += late
        self._send_queued()
        self._continue_closing()

    def _on_opened(self, inp: LinkOpened) -> None:
        if not self._moved(RoomTrigger.OPENED):
            return
        self._timers.disarm(Timer.CONNECT)
        self._identity = PeerId(inp.identity)
        self._topic_of_ours = inp.identity.lower()
        if self._opened_once:
            self.counters["reconnected"] += 1
            self._events.append(ev.Reconnected(at=self._now, room=self._room, attempt=self._attempt))
        else:
            self._opened_once = True
            self._opened_at = self._now
            self._events.append(
                ev.RoomOpened(at=self._now, room=self._room, identity=self._identity, name=inp.room, sid=inp.sid)
            )
            if self._silent:
                self._warn(ev.WarningCode.SILENT, "Unity clients show no avatar of ours and send us little but chat")
        self._open_since = self._now
        self._events += self._roster.replace_all(inp.participants, self._now)
        self._make_known()
        self._arrive()
        if not self._timers.armed(Timer.ANNOUNCE):
            self._flow()

    def _make_known(self) -> None:
        """Ask the server to tell others of us; packets wait for that, because the first ones would have no sender."""
        if not self._announce:
            return
        token = self._token
        if token is None or token.grants.can_update_own_metadata:
            self._commands.append(SetAttributes(link=self._link, attributes=_ATTRIBUTES))
        elif token.may_publish("microphone"):
            self._commands.append(PublishMicrophone(link=self._link))
        else:
            self._warn(ev.WarningCode.ANNOUNCED_LATE, "the token allows neither attributes nor a microphone track")
            return
        self._timers.arm(Timer.ANNOUNCE, self._now + self._limits.announce_seconds)

    def _on_answered(self, inp: CommandCompleted | CommandFailed) -> None:
        waited = self._timers.armed(Timer.ANNOUNCE)
        if isinstance(inp, CommandFailed) and self._state in RECEIVING:
            self._warn(ev.WarningCode.COMMAND_FAILED, f"{inp.what}: {inp.detail}")
        elif not waited:
            self.counters["late"] += 1
        if waited:
            self._timers.disarm(Timer.ANNOUNCE)
            self._flow()

    def _flow(self) -> None:
        """Packets may go out from now on."""
        self._flowing = True
        self._walk()
        self._send_queued()
        self._continue_closing()

    def _on_reconnecting(self) -> None:
        if not self._moved(RoomTrigger.RECONNECTING):
            return
        self._flowing = False
        if self._timers.armed(Timer.ANNOUNCE):
            self._timers.disarm(Timer.ANNOUNCE)
        if self._state is RoomState.RECONNECTING:
            self._timers.arm(Timer.REPAIR, self._now + self._limits.repair_seconds)
            self._events.append(ev.Reconnecting(at=self._now, room=self._room, attempt=0, reason=CloseReason.NETWORK))

    def _on_reconnected(self) -> None:
        if not self._moved(RoomTrigger.RECONNECTED):
            return
        if self._state is RoomState.OPEN:
            self._timers.disarm(Timer.REPAIR)
            self.counters["reconnected"] += 1
            self._events.append(ev.Reconnected(at=self._now, room=self._room, attempt=0))
        self._flow()

    # --- the end of a link

    def _link_over(self, reason: CloseReason, detail: str) -> None:
        # A server that lets us in and at once loses us again is no better than one that doesn't let us in.
        if self._open_since is not None and self._now - self._open_since >= self._limits.stable_seconds:
            self._attempt = 0
        self._open_since = None
        if self._state is RoomState.CLOSING:
            reason, detail = CloseReason.CLIENT, ""
        elif (backoff := self._backoff) is not None and self._may_retry(reason, backoff):
            if self._moved(RoomTrigger.LOST):
                self._retry_later(reason, backoff)
            return
        if self._moved(RoomTrigger.ENDED):
            self._finish(reason, detail)

    def _may_retry(self, reason: CloseReason, backoff: Backoff) -> bool:
        return self._opened_once and RETRY[reason] is Retry.BACKOFF and self._attempt < backoff.attempts

    def _retry_later(self, reason: CloseReason, backoff: Backoff) -> None:
        self._flowing = False
        self._forget_movements()
        self._timers.clear()
        lost = self._outbox.forget_in_flight()
        self.counters["unconfirmed"] += lost
        if lost:
            self._warn(ev.WarningCode.SENDS_UNCONFIRMED, f"{lost} packets were not acknowledged")
        self._attempt += 1
        self._timers.arm(Timer.RETRY, self._now + backoff.pause(self._attempt, self._prng))
        self._events.append(ev.Reconnecting(at=self._now, room=self._room, attempt=self._attempt, reason=reason))

    def _finish(self, reason: CloseReason, detail: str) -> None:
        self._forget_movements()
        self._timers.clear()
        self.counters["dropped"] += self._outbox.clear()
        self.counters["unconfirmed"] += self._outbox.forget_in_flight()
        self._events.append(
            ev.RoomClosed(at=self._now, room=self._room, reason=reason, retry=RETRY[reason], detail=detail)
        )

    # --- small help

    def _moved(self, trigger: RoomTrigger) -> bool:
        """Follow the table; False when it has no row: late news."""
        state = ROOM_TRANSITIONS.get((self._state, trigger))
        if state is None:
            self.counters["late"] += 1
            return False
        self._state = state
        return True

    def _move(self, trigger: RoomTrigger) -> None:
        self._state = ROOM_TRANSITIONS[self._state, trigger]
