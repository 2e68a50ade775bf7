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

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final, Unpack

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.connection_string import LiveKitAdapter, SimulatorAdapter
from dcl_comms_core.commands import CloseLink, OpenLink
from dcl_comms_core.company.around import me
from dcl_comms_core.errors import (
    LocalProtocolError,
    NotInARoom,
    PermissionMissing,
    SendQueueFull,
    TokenExpired,
    TokenNotYetValid,
)
from dcl_comms_core.inputs import (
    ClockSet,
    CommandCompleted,
    CommandFailed,
    DataReceived,
    EngineChanged,
    ForeignReceived,
    LinkClosed,
    LinkFailed,
    LinkInput,
    LinkMoved,
    LinkOpened,
    LinkReconnected,
    LinkReconnecting,
    LinkSilent,
    OwnTrackVanished,
    PacketsDropped,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantUpdated,
    PermissionsGiven,
    QualityGiven,
    RoomMetadataGiven,
    SendAcknowledged,
    SendsAcknowledged,
    SpeakersHeard,
    TokenRefreshed,
)
from dcl_comms_core.packets.chat import is_hidden
from dcl_comms_core.peers import EVERYONE, PeerId, peer_id
from dcl_comms_core.proto import rfc4
from dcl_comms_core.room.abilities import Abilities
from dcl_comms_core.room.announcing import Announcing
from dcl_comms_core.room.facts import Facts
from dcl_comms_core.room.ignoring import Ignoring
from dcl_comms_core.room.incoming.dedupe import Seen
from dcl_comms_core.room.incoming.filters import Hearing
from dcl_comms_core.room.incoming.inbound import Inbound
from dcl_comms_core.room.incoming.profiles import Profiles, build_profile
from dcl_comms_core.room.incoming.reader import PacketReader
from dcl_comms_core.room.incoming.roster import Roster
from dcl_comms_core.room.incoming.texts import Texts
from dcl_comms_core.room.introduction import Introduction
from dcl_comms_core.room.lifecycle import RECEIVING, Lifecycle
from dcl_comms_core.room.options import Delivery, RoomOptions, Subscribe
from dcl_comms_core.room.outgoing.carriers import LiveKitCarrier
from dcl_comms_core.room.outgoing.intents import Intents, check_version, for_everybody
from dcl_comms_core.room.outgoing.outbound import Outbound
from dcl_comms_core.room.outgoing.walking import Walking
from dcl_comms_core.room.output import Output
from dcl_comms_core.room.permit import Permit
from dcl_comms_core.room.tapping import TappedCarrier, Tapping
from dcl_comms_core.room.tracks import Tracks
from dcl_comms_core.states import RETRY, CloseReason, Retry, RoomState, RoomTrigger, Timer
from dcl_comms_core.tools.arguments import require_number
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.labels import Label
from dcl_comms_core.tools.prng import Prng
from dcl_comms_core.tools.retries import Retries
from dcl_comms_core.tools.timers import Timers
from dcl_comms_core.weather.can import ability

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Mapping

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.adapters.token import Grants
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command
    from dcl_comms_core.company.around import Me
    from dcl_comms_core.company.ignoring import Ignored
    from dcl_comms_core.inputs import ConnectionQuality, Input, LinkRef, Track, TrackSource
    from dcl_comms_core.peers import Addressees, PeerTable, Who
    from dcl_comms_core.room.incoming.allowances import PeerTraffic
    from dcl_comms_core.room.incoming.profiles import Profile
    from dcl_comms_core.room.options import RoomSettings
    from dcl_comms_core.room.outgoing.carriers import Carrier
    from dcl_comms_core.room.outgoing.outbox import Message, Messages, Outgoing
    from dcl_comms_core.weather.can import Ability, Can, Obstacle

__all__ = ["Delivery", "RoomSession"]

_SHOWN: Final = 80
_OPEN: Final = RoomState.OPEN  # looking it up in its enum takes longer than the question


class RoomSession(Intents):
    """One room.  Makes no connection, reads no clock, starts nothing.

    ``adapter``: where to go, from ``parse_connection_string``.  ``room``: the label in events.  ``link``: the number of
    its link in commands.  ``within``: where the server is that named the room, None: the user did.  ``settings``: those
    of :class:`~dcl_comms_core.room.options.RoomOptions`, or of ``options`` what is to be different.
    """

    adapters: ClassVar[tuple[type[Adapter], ...]] = (LiveKitAdapter, SimulatorAdapter)
    """The kinds of adapter that it takes."""
    carrier: ClassVar[Carrier] = LiveKitCarrier()
    """What its transport can carry."""
    recallable: ClassVar[bool] = False
    """Whether its transport can call off a connection that is on its way: LiveKit's engine goes on with it."""

    def __init__(  # noqa: PLR0915 - its parts, one after the other
        self,
        adapter: Adapter,
        *,
        room: str = "main",
        link: int = 1,
        within: Place | None = None,
        options: RoomOptions | None = None,
        **settings: Unpack[RoomSettings],
    ) -> None:
        if not isinstance(adapter, self.adapters):
            wanted = " or ".join(kind.__name__ for kind in self.adapters)
            msg = f"a {type(self).__name__} takes a {wanted}, not {type(adapter).__name__}"
            raise LocalProtocolError(msg)
        chosen = RoomOptions.of(options, settings)
        limits = chosen.limits
        permit = Permit(adapter.token if isinstance(adapter, LiveKitAdapter) else None)
        super().__init__(limits, Clock())
        self.output = Output(room := Label(room, self.clock), self.clock)
        """Commands, events and counters; ``commands()`` and ``events()`` drain them."""
        self.lifecycle = Lifecycle(link, self.output.counters)
        """State, link and identity."""
        self._adapter = adapter
        self._permit = permit
        self._within = within
        self._policy = chosen.subscribe
        self._announce = chosen.announce
        self._silent = chosen.silent
        self._timers = Timers()
        self._retries = Retries(chosen.reconnect, Prng(chosen.entropy), limits.stable_seconds)
        tap = chosen.tap
        carrier = self.carrier if tap is None else TappedCarrier(tap, room, self.clock, self.carrier)
        self._outbound = Outbound(
            self.output,
            self.clock,
            self.lifecycle,
            permit,
            limits,
            carrier,
            timers=self._timers,
            away=chosen.away,
        )
        self._abilities = Abilities(self.lifecycle, permit, self.carrier)
        self._walking = Walking(self.clock, self._timers, self.lifecycle, self._outbound, self._send_movement)
        self._profiles = Profiles(limits)
        self._announcing = Announcing(
            self.clock,
            self._timers,
            self.lifecycle,
            self._profiles,
            version=chosen.profile_version,
            silent=chosen.silent,
            permit=permit,
            send=self._try,
        )
        seen = Seen(limits.seen_messages) if chosen.seen is None else chosen.seen
        hearing = Hearing(seen, limits, self._profiles, self._announcing.answer)
        self._texts = Texts(self.output, self.clock, limits)
        self._roster = Roster(room, limits, hearing.room)
        raw = chosen.delivery is Delivery.PACKETS
        reader = PacketReader(room, limits, hearing, raw=raw, codec=chosen.movement_codec)
        self._inbound = Inbound(
            self.output,
            self.clock,
            self._timers,
            self.lifecycle,
            roster=self._roster,
            reader=reader,
            limits=limits,
            raw=raw,
        )
        door = self._inbound if tap is None else Tapping(tap, room, self.clock, self._inbound, self._outbound)
        self.inbound: Inbound | Tapping = door
        """Where packets go that came in, at once: what ``receive_data`` does, for who calls it all the time."""
        self._receive: Callable[[str | None, bytes, bool, str, float, int | None], object] = door.receive
        back = self._outbound if isinstance(door, Inbound) else door
        self._acknowledge, self._acknowledge_all = back.acknowledge, back.acknowledge_all
        self._tracks = Tracks(self.output, self.lifecycle, self._roster, permit=permit, policy=chosen.subscribe)
        self._ignoring = Ignoring(
            self.output,
            self.clock,
            self._timers,
            self.lifecycle,
            roster=self._roster,
            tracks=self._tracks,
            limits=limits,
            rule=chosen.ignore,
        )
        self._inbound.watch_abuse(None if chosen.ignore is None else self._ignoring.judge)
        self._introduction = Introduction(
            self.output, self.clock, self._timers, self.lifecycle, permit=permit, seconds=limits.announce_seconds
        )
        self._facts = Facts(self.output, self.clock, permit, outbound=self._outbound, announcing=self._announcing)
        self._unknown: list[str] = []
        """Addressees of the last packet that were not here."""
        self._opened_once = False
        self.heir: Callable[[list[Outgoing]], object] | None = None
        """Who gets what still waits when the room ends without our doing; None: it is dropped."""
        self._closing_at: float | None = None
        self._called_off = False
        """Is it left, and its link may answer before it is told so?"""

    # --- what the world may ask

    @property
    def adapter(self) -> Adapter:
        """The adapter that it was made with."""
        return self._adapter

    @property
    def link(self) -> LinkRef:
        """Its current link, as its commands name it."""
        return self.lifecycle.link

    @property
    def state(self) -> RoomState:
        """Where the session stands."""
        return self.lifecycle.state

    @property
    def room(self) -> str:
        """The label of this room in events."""
        return self.output.room

    @property
    def identity(self) -> PeerId | None:
        """Who we are; None before the room opened."""
        return self.lifecycle.identity

    @property
    def me(self) -> Me:
        """We ourselves, as we told of us last."""
        return me(self.lifecycle.identity, self.moved, (self.room,) if self.sending else ())

    @property
    def peers(self) -> PeerTable:
        """Who else is in the room."""
        return self._roster.peers

    @property
    def counters(self) -> Counter[str]:
        """How often: received, received_bytes, rejected.<reason name>, dropped.<name in Limits>, late, unknown_track.

        dropped.ignored: packets of peers that were ignored.
        Of packets that are old news (see ``dcl_comms_core.room.incoming.filters``): dropped.late and so on.
        And reconnected; of our own packets: sent, sent_bytes, send_failed, unconfirmed (the link ended before it
        acknowledged them), dropped (the room closed before their turn),
        skipped (movements and the like that go out by themselves, while the queue was full or we may not send),
        may_be_lost (acknowledged after the last sign of life of a connection that was lost).
        And stranded: tracks of ours that the transport keeps, see ``LinkClosed``.
        """
        # Numbers apart, because counting in a Counter takes three times as long, for each packet.
        counters = self.output.counters
        counters["received"] = self._inbound.received
        counters["received_bytes"] = self._inbound.received_bytes
        return counters

    @property
    def grants(self) -> Grants | None:
        """What we may do in the room: as the token says, until the server says otherwise; None: everything."""
        return self._permit.grants

    @property
    def metadata(self) -> str:
        """What the server says of the room, free text; empty: nothing."""
        return self._facts.metadata

    @property
    def quality(self) -> ConnectionQuality | None:
        """How good the server finds our way to it now; None: it did not say, or there is no connection."""
        return self._facts.quality if self.lifecycle.state is _OPEN else None

    @property
    def sending(self) -> bool:
        """Whether packets are taken, be it to wait: from RoomOpened to RoomClosed, or to our ``close()``."""
        return self.lifecycle.sending

    @property
    def joining(self) -> bool:
        """Whether its link is on its way into the room, be it to leave it at once: see ``call_off``."""
        return self._called_off or self.lifecycle.state is RoomState.CONNECTING

    @property
    def flowing(self) -> bool:
        """Whether the link takes packets now, as far as there is credit."""
        return self._outbound.flowing and self.lifecycle.state is _OPEN

    @property
    def waiting(self) -> int:
        """Packets that wait for credit."""
        return self._outbound.queue.waiting

    @property
    def waiting_bytes(self) -> int:
        """Bytes of the packets that wait for credit."""
        return self._outbound.queue.waiting_bytes

    @property
    def in_flight_bytes(self) -> int:
        """Bytes of the packets that the transport did not acknowledge yet."""
        return self._outbound.queue.in_flight_bytes

    @property
    def credits(self) -> int:
        """How many more packets the transport would take now; 0 while the link takes none."""
        return self._outbound.queue.credits if self.flowing else 0

    @property
    def unacknowledged(self) -> int:
        """Packets that wait for credit or for the transport's acknowledgement."""
        return self._outbound.queue.waiting + self._outbound.queue.in_flight

    def has_credit(self, *, reliable: bool = True) -> bool:
        """Whether a packet sent now would go straight to the transport; a large reliable one may still wait."""
        return self.flowing and self._outbound.queue.has_credit(reliable=reliable)

    def traffic(self, who: Who) -> PeerTraffic | None:
        """What a peer sent us so far; None: unknown, or forgotten after it left."""
        guard = self._roster.guard(peer_id(who))
        return None if guard is None else guard.traffic(self.clock.now)

    def commands(self) -> list[Command]:
        """Take everything that the transport is to do, in order."""
        return self.output.take_commands()

    def events(self) -> list[ev.Event]:
        """Take everything that happened, in order."""
        return self.output.take_events()

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed.  May change with any other call."""
        return self._timers.deadline

    @property
    def deadline_reason(self) -> Timer | None:
        """The timer behind the deadline."""
        return self._timers.reason

    @property
    def timers(self) -> Mapping[Timer, float]:
        """Every timer that runs, and when it is due."""
        return self._timers.due()

    def watch(self, changed: Callable[[], object] | None) -> None:
        """Have this called at the beginning of whatever may give commands, events or another deadline.

        For who has many sessions and does not want to ask each of them all the time.  Packets that are given to
        ``inbound`` itself are left out, unless the deadline changes.
        """
        self.output.watcher = self._timers.watcher = changed
        self._receive = self.inbound.receive if changed is None else self._receive_watched

    def _receive_watched(
        self, sender: str | None, data: bytes, reliable: bool, topic: str, now: float, source: int | None
    ) -> object:
        self.output.touch()
        return self.inbound.receive(sender, data, reliable, topic, now, source)

    # --- opening and closing

    def open(self, *, now: float | None = None) -> None:
        """Join the room.  The answer is RoomOpened or RoomClosed."""
        self.output.touch()
        self.clock.pass_time(now)
        if not self.lifecycle.may(RoomTrigger.OPEN):
            msg = f"the session is {self.state.value}: make a new RoomSession to join again"
            raise LocalProtocolError(msg)
        if not self._refused():
            self.lifecycle.move(RoomTrigger.OPEN)
            self._open_link()

    def close(self, *, drain: float | None = None, now: float | None = None) -> None:
        """Leave, after letting reliable packets that were accepted go out for up to ``drain`` seconds.

        Closing again is allowed and may only shorten the wait.  RoomClosed(CLIENT) follows.
        """
        self.output.touch()
        self.clock.pass_time(now)
        if drain is not None:
            require_number(drain, "drain is a finite number of seconds")
        drain = self.limits.drain_seconds if drain is None else max(drain, 0.0)
        until = self.clock.now + drain
        before = self.state
        self.lifecycle.move(RoomTrigger.CLOSE)
        if before is RoomState.CLOSED:
            return
        if self.state is RoomState.CLOSED:
            self._finish(CloseReason.CLIENT, "")
        elif before is not RoomState.CLOSING:
            self._inbound.forget_movements()
            # Nothing goes out by itself any more, and nobody waits for the link's repair.
            for timer in (Timer.MOVE, Timer.PRESENCE, Timer.REPAIR, Timer.WAITING):
                self._timers.disarm(timer)
            self._closing_at = until if before in RECEIVING else self.clock.now
            self._continue_closing()
        elif self._closing_at is not None:
            self._closing_at = self.clock.now if self._called_off else min(until, self._closing_at)
            self._continue_closing()
        else:
            self._timers.hasten(Timer.CLOSE, until + self.limits.close_seconds)

    def call_off(self, *, now: float | None = None) -> None:
        """Leave a room that is being joined, for the sake of another one; see ``joining``.

        Where the transport can't call that off (``recallable``) its link is told to close only once it answered, or
        after Limits.call_off_seconds: connections that nobody waits for must not become many.  Else it is a
        ``close(drain=0)``.
        """
        if self.recallable or self.state is not RoomState.CONNECTING:
            self.close(drain=0.0, now=now)
            return
        self.output.touch()
        self.clock.pass_time(now)
        self.lifecycle.move(RoomTrigger.CLOSE)
        self._called_off = True
        self._timers.clear()
        self._closing_at = self.clock.now + self.limits.call_off_seconds
        self._continue_closing()

    def _continue_closing(self) -> None:
        """Tell the link to close as soon as the queue is empty, and the link in the room, or its time is over."""
        if self._closing_at is None:
            return
        left = self._closing_at - self.clock.now
        if (self._outbound.queue.waiting or self._called_off) and left > 0.0:
            self._timers.arm(Timer.CLOSE, self._closing_at)
            return
        self._closing_at = None
        self._called_off = False
        self._timers.clear()
        self._outbound.drop_waiting()
        left = max(left, 0.0)
        self._timers.arm(Timer.CLOSE, self.clock.now + left + self.limits.close_seconds)
        self.output.commands.append(CloseLink(link=self.link, drain=left))

    def _open_link(self) -> None:
        link = self.lifecycle.next_link()
        self._timers.arm(Timer.CONNECT, self.clock.now + self.limits.connect_seconds)
        adapter, token = self._adapter, self._permit.token
        if isinstance(adapter, LiveKitAdapter) and token is not None:
            adapter = replace(adapter, token=token)
        auto_subscribe = self._policy is Subscribe.ALL
        self.output.commands.append(
            OpenLink(link=link, adapter=adapter, auto_subscribe=auto_subscribe, within=self._within)
        )

    def _refused(self) -> bool:
        """Close the session if the token can't be used any more (or yet, or at all)."""
        token = self._permit.token
        if token is None:
            return False
        # Without a wall clock the token's times can't be judged here; the server will.
        unix_now = self.clock.unix_now()
        try:
            token.check(unix_now=(token.not_before or 0.0) if unix_now is None else unix_now, publish=False)
        except TokenExpired as error:
            reason, detail = CloseReason.TOKEN_EXPIRED, str(error)
        except TokenNotYetValid as error:
            reason, detail = CloseReason.TOKEN_NOT_YET_VALID, str(error)
        except PermissionMissing as error:
            reason, detail = CloseReason.PERMISSION, str(error)
        else:
            return False
        self.lifecycle.move(RoomTrigger.REFUSED)
        self._finish(reason, detail)
        return True

    # --- time

    def handle_timeout(self, now: float) -> None:  # noqa: C901, PLR0912 - one flat dispatch
        """Let time pass.  Calling it too early or too often does nothing."""
        self.output.touch()
        self.clock.pass_time(now)
        while (timer := self._timers.pop_due(self.clock.now)) is not None:
            if timer is Timer.CONNECT:
                self._give_up(f"no answer within {self.limits.connect_seconds:g} s")
            elif timer is Timer.REPAIR:
                self._give_up(f"not repaired within {self.limits.repair_seconds:g} s")
            elif timer is Timer.ANNOUNCE:
                self._flow()
            elif timer is Timer.MOVEMENT:
                self._inbound.release_movements()
            elif timer is Timer.MOVE:
                self._walking.walk()
            elif timer is Timer.IGNORE:
                self._ignoring.expire()
            elif timer is Timer.PRESENCE:
                self._announcing.announce()
            elif timer is Timer.WAITING:
                self._outbound.expire()
            elif timer is Timer.RETRY:
                if not self._refused():
                    self.lifecycle.move(RoomTrigger.RETRY)
                    self._open_link()
            elif self._closing_at is not None:
                self._closing_at = self.clock.now
                self._continue_closing()
            else:
                self.lifecycle.move(RoomTrigger.ENDED)
                self._finish(CloseReason.CLIENT, "the link did not confirm its end")

    def _give_up(self, detail: str) -> None:
        """Give up a link that does not answer."""
        self.output.commands.append(CloseLink(link=self.link))
        self._link_over(CloseReason.TIMEOUT, detail)

    # --- intents

    def check_sending(self, now: float | None = None) -> None:
        """Raise unless we may send, or what we say may wait for the room.

        LocalProtocolError: it is over; NotInARoom: it is not open, and ``away`` says not to wait; PermissionMissing: we
        may not.
        """
        self.clock.pass_time(now)
        self._outbound.check()

    def check_moving(self, now: float | None = None) -> None:
        """Raise unless we may move: as ``check_sending``, but where we are is remembered while the room is not open."""
        self.clock.pass_time(now)
        self._outbound.check_moving()
        if self.lifecycle.state is _OPEN:
            self._outbound.check()

    def can(self, what: Can) -> Ability:
        """Whether all of this can be done in the room as it is now, and if not, why."""
        return ability(what, self._abilities.obstacle)

    def obstacle(self, one: Can) -> Obstacle | None:
        """Why one thing can't be done now; None: it can."""
        return self._abilities.obstacle(one)

    def check_publish(self, source: TrackSource) -> None:
        """Raise unless we may publish from a source.  LocalProtocolError: not open; PermissionMissing: forbidden."""
        self._tracks.check_publish(source)

    def put(self, messages: Messages, *, reliable: bool, now: float | None, else_everybody: bool = False) -> None:
        """Check and queue packets of one content: all or none.  What ``send_bytes`` ends in."""
        self.output.touch()
        self.clock.pass_time(now)
        self._outbound.check()
        for message in messages:
            if message[1] is not None and self.carrier.addresses:
                self._put_addressed(messages, reliable=reliable)
                return
        if else_everybody and not self.carrier.addresses:
            messages = for_everybody(messages)
        self._outbound.put(messages, reliable=reliable)

    def _put_addressed(self, messages: Messages, *, reliable: bool) -> None:
        unknown: list[str] = []
        self._outbound.put([self._addressed(message, unknown) for message in messages], reliable=reliable)
        if unknown != self._unknown:
            self._warn_of_unknown(unknown)

    def _addressed(self, message: Message, unknown: list[str]) -> Message:
        """A packet with its addressees as they are written here, and who of them is not here as far as we know."""
        data, named, topic = message
        if named is None:
            return message
        to: list[str] = []
        for text in named:
            peer = self.peers.entry(PeerId(text))
            to.append(text if peer is None else peer.id.text)
            if peer is None:
                unknown.append(text)
            elif topic == text:
                topic = peer.id.text
        return data, tuple(to), topic

    def _warn_of_unknown(self, named: list[str]) -> None:
        """Say of whom nothing is known, unless that was just said; of some there is never anything known."""
        self._unknown = named
        # Nobody is here while a room is joined anew, and not all are where the table is full.
        if self.lifecycle.state is not _OPEN or len(self.peers) >= self.limits.peers:
            return
        for text in named:
            if not is_hidden(PeerId(text)):
                self.warn(ev.WarningCode.ADDRESSEE_UNKNOWN, f"nobody here is {text[:_SHOWN]!r}: it may reach nobody")

    def walk(self, movement: rfc4.Movement) -> None:
        """Send a movement when it is due.  What ``move`` ends in."""
        self.output.touch()
        self._walking.put(movement)

    def warn(self, code: ev.WarningCode, text: str) -> None:
        """Report a Warning event."""
        self.output.touch()
        self.output.warn(code, text)

    def announce_profile(self, version: int, *, to: Addressees = EVERYONE, now: float | None = None) -> None:
        """Tell the version of our profile, now and from now on (unless ``to`` names some, or the session is silent).

        Of what is to be told from now on the newest is remembered while the room is not open.
        """
        if to is EVERYONE and not self._silent and self.lifecycle.state is not _OPEN:
            check_version(version)
            self.check_moving(now)
            self._announcing.remember(version)
            return
        super().announce_profile(version, to=to, now=now)
        if to is EVERYONE and not self._silent:
            self._announcing.announced(version)

    def offer_profile(self, version: int, serialized: str, *, base_url: str = "", now: float | None = None) -> None:
        """Announce a profile and answer those who ask for it: its JSON, and where its content is.

        Answers go to everybody, one in ten seconds, as Bevy's do.  PacketTooLarge: the profile fits no packet.
        """
        profile = build_profile(serialized, base_url, self.limits.offered_profile_bytes)
        self.announce_profile(version, now=now)
        self._announcing.offer(profile)

    def request_profile(self, who: Who, version: int = 0, *, now: float | None = None) -> bool:
        """Ask a peer for its own profile; the answer is ProfileReceived.  Unity clients do not answer.

        False: nothing was sent, because a profile of this ``version`` or a newer one is known, or because the peer was
        asked within ten seconds.
        """
        who = peer_id(who)
        check_version(version)
        self.check_sending(now)
        if not self._profiles.wants(who, version, self.clock.now):
            return False
        request = rfc4.ProfileRequest(address=who.address or who.text, profile_version=version)
        # The packet itself names the peer, for where all get it.
        self.send(rfc4.Packet(profile_request=request), to=who if self.carrier.addresses else EVERYONE)
        self._profiles.asked(who, self.clock.now)
        return True

    def profile(self, who: Who) -> Profile | None:
        """The profile that a peer sent, the newest of its versions; None: none, or it was forgotten."""
        return self._profiles.get(peer_id(who))

    def subscribe(self, track: Track | str, *, wanted: bool = True, now: float | None = None) -> bool:
        """Receive a track, or (``wanted=False``) stop receiving it, whatever the policy says; a Track or its id.

        False: there is no such track any more.  LocalProtocolError: the room is not open; PermissionMissing: the token
        does not grant it.  Joining anew, where all tracks are offered anew, asks the policy again.
        """
        self.output.touch()
        self.clock.pass_time(now)
        return self._tracks.subscribe(track, wanted=wanted)

    def ignore(self, who: Who, *, seconds: float | None = None, now: float | None = None) -> None:
        """Let go unread what somebody sends, here or not, and don't receive its tracks; None: until ``unignore``.

        Once more: until another time.  It comes and goes as before, and its packets count, in ``traffic`` too.
        LocalProtocolError: Limits.ignored are ignored already.
        """
        self.output.touch()
        self.clock.pass_time(now)
        self._ignoring.ignore(peer_id(who), seconds)

    def unignore(self, who: Who, *, now: float | None = None) -> bool:
        """Listen to somebody again, and receive its tracks as the policy says.  False: it was not ignored."""
        self.output.touch()
        self.clock.pass_time(now)
        return self._ignoring.unignore(peer_id(who))

    @property
    def ignored(self) -> Ignored:
        """Who is ignored, and until when."""
        return self._roster.ignored

    def has_track(self, track: Track | str) -> bool:
        """Whether somebody in this room publishes this track; a Track or its id."""
        return self._tracks.has(track)

    def _send_movement(self, movement: rfc4.Movement) -> None:
        self._try(rfc4.Packet(movement=movement))

    def _try(self, packet: rfc4.Packet) -> None:
        """Send a packet that repeats anyway; while the queue is full, or we may not, it is skipped and counted."""
        try:
            self.send(packet)
        except (SendQueueFull, PermissionMissing, NotInARoom):
            self.output.counters["skipped"] += 1

    # --- inputs

    def receive_data(
        self,
        sender: str | None,
        data: bytes,
        *,
        reliable: bool = True,
        topic: str = "",
        now: float,
        source: int | None = None,
    ) -> None:
        """Take a packet of the current link: what ``receive(DataReceived(...))`` does, without the object."""
        self._receive(sender, data, reliable, topic, now, source)

    def receive(self, inp: Input, *, now: float) -> None:
        """Take a fact from outside.  LocalProtocolError: not an input, or the host gave a time that is not finite."""
        self.output.touch()
        self.clock.pass_time(now)
        if isinstance(inp, ClockSet):
            self.clock.set_unix(inp.unix_offset)
            return
        if not isinstance(inp, LinkInput):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            msg = f"receive() takes an input of dcl_comms_core.inputs, not {type(inp).__name__}"
            raise LocalProtocolError(msg)
        if inp.link != self.link or self.state is RoomState.CLOSED:
            self.output.counters["late"] += 1
            return
        bounded = self._texts.bounded(inp)
        if bounded is not None:
            self._take(bounded)
        if self.state in RECEIVING:
            self._texts.tell()

    def _take(self, inp: LinkInput) -> None:  # noqa: C901, PLR0912, PLR0915 - one flat dispatch
        match inp:
            case SendAcknowledged():
                self._acknowledge(inp)
                self._continue_closing()
            case SendsAcknowledged():
                self.receive_acknowledged(inp.tokens, now=self.clock.now)
            case DataReceived():
                self.receive_data(
                    inp.sender, inp.data, reliable=inp.reliable, topic=inp.topic, now=self.clock.now, source=inp.source
                )
            case LinkOpened():
                self._on_opened(inp)
            case LinkFailed():
                self._link_over(inp.reason, inp.detail)
            case LinkClosed():
                if inp.stranded > 0:
                    self.output.counters["stranded"] += inp.stranded
                if inp.silent is not None:
                    self._outbound.pause()
                    self._outbound.silent(inp.silent)
                self._link_over(inp.reason, inp.detail)
            case LinkReconnecting():
                self._on_reconnecting()
            case LinkSilent():
                self._outbound.silent(inp.seconds)
            case LinkReconnected():
                self._on_reconnected()
            case CommandCompleted() | CommandFailed():
                if self._introduction.answered(inp):
                    self._flow()
            case EngineChanged():
                self.output.warn(ev.WarningCode.ENGINE_CHANGED, inp.detail)
            case _ if self.state not in RECEIVING:
                self.output.counters["late"] += 1
            case PacketsDropped():
                self.output.counters["dropped.inbox_bytes"] += inp.count
                limit = self.limits.inbox_bytes
                self.output.events.append(
                    ev.LimitReached(at=self.clock.now, room=self.room, limit="inbox_bytes", value=limit)
                )
            case ForeignReceived():
                self._inbound.foreign(inp)
            case ParticipantJoined():
                self.output.events += self._roster.join(inp.participant, self.clock.now, inp.source)
                self._announcing.welcome()
            case ParticipantUpdated() if PeerId(inp.participant.identity) != self.lifecycle.identity:
                self.output.events += self._roster.update(inp.participant, self.clock.now)
            case ParticipantLeft():
                self.output.events += self._roster.leave(inp.identity, self.clock.now)
            case SpeakersHeard():
                speakers = self._roster.speak(inp.identities)
                self.output.events.append(ev.SpeakersChanged(at=self.clock.now, room=self.room, speakers=speakers))
            case (
                PermissionsGiven()
                | QualityGiven()
                | TokenRefreshed()
                | RoomMetadataGiven()
                | LinkMoved()
                | ParticipantUpdated()
                | OwnTrackVanished()
            ):
                self._facts.receive(inp)
                self._continue_closing()
            case _:
                self._tracks.receive(inp, self.clock.now)

    def receive_acknowledged(self, tokens: Iterable[int], *, now: float) -> None:
        """Take acknowledgements of packets of the current link, none of which failed.

        What ``receive(SendAcknowledged(...))`` does for each, without the objects.
        """
        self.output.touch()
        self.clock.pass_time(now)
        self._acknowledge_all(tokens)
        self._continue_closing()

    def _on_opened(self, inp: LinkOpened) -> None:
        if self._called_off:
            self._closing_at = self.clock.now
            self._continue_closing()
            return
        if not self.lifecycle.moved(RoomTrigger.OPENED):
            return
        self._timers.disarm(Timer.CONNECT)
        self.lifecycle.identity = PeerId(inp.identity)
        self._inbound.our_topic = inp.identity.lower()
        again = self._opened_once
        if again:
            self.output.counters["reconnected"] += 1
            self.output.events.append(ev.Reconnected(at=self.clock.now, room=self.room, attempt=self._retries.attempt))
        else:
            self._opened_once = True
            self.clock.origin = self.clock.now
            self.output.events.append(
                ev.RoomOpened(
                    at=self.clock.now,
                    room=self.room,
                    identity=self.lifecycle.identity,
                    name=inp.room,
                    sid=inp.sid,
                    metadata=inp.metadata,
                )
            )
            if self._silent:
                self.warn(ev.WarningCode.SILENT, "Unity clients show no avatar of ours and send us little but chat")
        self._outbound.tell_doubtful()
        self._facts.entered(inp, again=again)
        self._retries.entered(self.clock.now)
        self._ignoring.expire()
        self.output.events += self._roster.replace_all(inp.participants, self.clock.now)
        if self._announce:
            self._introduction.begin(data_tracks=inp.data_tracks)
        self._walking.begin()
        self._announcing.arrive()
        if not self._introduction.waiting:
            self._flow()

    def _flow(self) -> None:
        """The link takes packets from now on: send what waits."""
        self._outbound.flowing = True
        self._walking.walk()
        self._outbound.flow()
        self._continue_closing()

    def _on_reconnecting(self) -> None:
        if not self.lifecycle.moved(RoomTrigger.RECONNECTING):
            return
        self._outbound.pause()
        self._introduction.give_up()
        if self.state is RoomState.RECONNECTING:
            self.lifecycle.lost_by = CloseReason.NETWORK
            self._timers.arm(Timer.REPAIR, self.clock.now + self.limits.repair_seconds)
            self.output.events.append(
                ev.Reconnecting(at=self.clock.now, room=self.room, attempt=0, reason=CloseReason.NETWORK)
            )

    def _on_reconnected(self) -> None:
        if not self.lifecycle.moved(RoomTrigger.RECONNECTED):
            return
        if self.state is RoomState.OPEN:
            self._timers.disarm(Timer.REPAIR)
            self.output.counters["reconnected"] += 1
            self.output.events.append(ev.Reconnected(at=self.clock.now, room=self.room, attempt=0))
            self._outbound.tell_doubtful()
            self._announcing.back()
        self._flow()

    # --- the end of a link

    def _link_over(self, reason: CloseReason, detail: str) -> None:
        self._retries.over(self.clock.now)
        if self.state is RoomState.CLOSING:
            reason, detail = CloseReason.CLIENT, ""
        elif self._opened_once and self._retries.may(RETRY[reason]):
            if self.lifecycle.moved(RoomTrigger.LOST):
                self._retry_later(reason)
            return
        if self.lifecycle.moved(RoomTrigger.ENDED):
            self._finish(reason, detail)

    def _retry_later(self, reason: CloseReason) -> None:
        self._inbound.forget_movements()
        self._timers.clear()
        self.lifecycle.lost_by = reason
        self._outbound.lose_link()
        now = self.clock.now
        self._timers.arm(Timer.RETRY, now + self._retries.pause())
        attempt = self._retries.attempt
        self.output.events.append(ev.Reconnecting(at=now, room=self.room, attempt=attempt, reason=reason))

    def _finish(self, reason: CloseReason, detail: str) -> None:
        self._inbound.forget_movements()
        self._called_off = False
        if self.heir is not None and reason is not CloseReason.CLIENT:
            self.heir(self._outbound.leave())
        self._timers.clear()
        self._outbound.finish()
        self._outbound.tell_doubtful()
        at, room, retry = self.clock.now, self.room, RETRY[reason]
        if retry is Retry.FRESH_CREDENTIALS and self._permit.token is not None and self._opened_once:
            self.output.events.append(ev.CredentialsNeeded(at=at, room=room))
        self.output.events.append(ev.RoomClosed(at=at, room=room, reason=reason, retry=retry, detail=detail))
