r"""WorldSession: from a realm's URL, or any connection string, into the right rooms, and to stay in them.

::

    realm's URL --/about--> adapter --signed requests--> the world's room
                                  \--island service--> the island's room, whichever that is now
    enter_scene() --------signed request to the gatekeeper--> the scene's room, at the same time

It is made of other sessions (ArchipelagoSession or another IslandSource, MergedRooms), uses nothing but their public
verbs, and has their vocabulary.  What those give up it takes up again, with fresh credentials and growing pauses,
unless the cause must end it: a ban, a denial, the same wallet elsewhere.  See docs/realm.md.
"""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Final

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.about import read_target
from dcl_comms_core.adapters.connection_string import Adapter, ArchipelagoAdapter, SignedLoginAdapter
from dcl_comms_core.errors import CommsError, LocalProtocolError
from dcl_comms_core.handshake.archipelago import ArchipelagoSession
from dcl_comms_core.identity.auth_chain import require_address
from dcl_comms_core.identity.guard import ChallengeGuard
from dcl_comms_core.inputs import ClockSet, Fetched, FetchFailed, LinkRef
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.merged.roles import RoomRole
from dcl_comms_core.merged.session import MergedRooms
from dcl_comms_core.packets.motion import check_position
from dcl_comms_core.peers import EVERYONE, PeerId
from dcl_comms_core.room.incoming.profiles import build_profile
from dcl_comms_core.room.options import Delivery, Subscribe
from dcl_comms_core.room.outgoing.intents import check_version
from dcl_comms_core.states import WORLD_TRANSITIONS, RoomState, StayState, Timer, WorldTrigger
from dcl_comms_core.tools.timers import earliest
from dcl_comms_core.tools.urls import request_url
from dcl_comms_core.world.discovery import Way
from dcl_comms_core.world.rejoining import JOINABLE, OVER, Seeking

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Mapping

    from dcl_comms_core.commands import Command
    from dcl_comms_core.identity.auth_chain import AuthChain
    from dcl_comms_core.inputs import Input
    from dcl_comms_core.limits import Limits
    from dcl_comms_core.merged.sources import IslandSource, MovementSource
    from dcl_comms_core.packets.movement import MovementCodec
    from dcl_comms_core.peers import Addressees
    from dcl_comms_core.proto import rfc4
    from dcl_comms_core.room.options import SubscribePolicy
    from dcl_comms_core.tools.backoff import Backoff
    from dcl_comms_core.world.membership import Standing

__all__ = ["WorldSession"]

_ROOM_ATTEMPTS: Final = 3
"""How often a room is joined anew with the token that it had, before a fresh one is asked for."""


class WorldSession(Seeking):
    """A whole presence in a realm.  Makes no connection, reads no clock, starts nothing.

    ``target``: a realm's http(s) URL, a connection string, or an Adapter.  ``address``: the wallet's; None: there is
    none, and what needs a signature ends with NO_WALLET.  ``guard``: what may be signed, and where; None: challenges of
    the Foundation's hosts, of the target's and of the gatekeeper's.  ``position``: where we are until we say otherwise.
    ``gatekeeper``: who gives scenes' rooms, a URL to post to; None: the realm's own, ``<realm>/get-scene-adapter``, if
    the realm is not on the internet, else :data:`GATEKEEPER`.  ``realm_name``: what the gatekeeper knows the realm as;
    None: a world's name, else ``main``.  ``is_guest``: the wallet is a throw-away one.  ``islands``: makes an
    IslandSource of the island service's adapter and a link's number; None: ArchipelagoSession.  ``reconnect``: how to
    come back into what was lost, None for never; the first attempt at the island's or world's room is never repeated.
    ``entropy``: seeds the jitter of the pauses.  ``heartbeat``: seconds between two of them.  The rest is a
    RoomSession's.

    Events are those of all its sessions: RoomClosed ends one room ("island", which is also a world's, or "scene"),
    RealmClosed the session with the island service ("realm"), and WorldClosed all.  The wall clock has to be set
    (ClockSet) before ``open()`` where requests may have to be signed.
    """

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        target: str | Adapter,
        *,
        address: str | None = None,
        guard: ChallengeGuard | None = None,
        position: tuple[float, float, float] = (0.0, 0.0, 0.0),
        gatekeeper: str | None = None,
        realm_name: str | None = None,
        is_guest: bool = False,
        islands: Callable[[ArchipelagoAdapter, int], IslandSource] | None = None,
        limits: Limits = DEFAULT_LIMITS,
        entropy: int = 0,
        reconnect: Backoff | None = None,
        heartbeat: float = 1.0,
        delivery: Delivery = Delivery.EVENTS,
        subscribe: SubscribePolicy = Subscribe.ALL,
        announce: bool = True,
        movement_codec: MovementCodec | None = None,
        profile_version: int | None = None,
        silent: bool = False,
    ) -> None:
        where = read_target(target, limits)
        check_position(position)
        if address is not None:
            require_address(address)
        if gatekeeper is not None:
            gatekeeper = request_url(gatekeeper)
        if guard is None:
            named = where if isinstance(where, str) else getattr(where, "url", None)
            guard = ChallengeGuard(limits=limits).allowing(*(url for url in (named, gatekeeper) if url is not None))
        again = reconnect
        if reconnect is not None and not isinstance(where, JOINABLE):
            again = replace(reconnect, attempts=min(reconnect.attempts, _ROOM_ATTEMPTS))
        super().__init__(
            where,
            MergedRooms(
                limits=limits,
                entropy=entropy,
                reconnect=again,
                delivery=delivery,
                subscribe=subscribe,
                announce=announce,
                movement_codec=movement_codec,
                profile_version=profile_version,
                silent=silent,
                address=address,
                guard=guard,
            ),
            address=address,
            guard=guard,
            position=position,
            gatekeeper=gatekeeper,
            realm_name=realm_name,
            is_guest=is_guest,
            islands=islands,
            limits=limits,
            entropy=entropy,
            reconnect=reconnect,
            heartbeat=heartbeat,
        )

    # --- what the world may ask

    @property
    def state(self) -> RoomState:
        """Where the session stands: OPEN while it is in the island's or world's room, WAITING while it returns."""
        return self._state

    @property
    def identity(self) -> PeerId | None:
        """Who we are, as a server said; None before the first of them did."""
        return self._identity

    @property
    def island(self) -> ev.IslandChanged | None:
        """The newest island that we were told of.  Its connection string may be spent."""
        return self._island_news

    @property
    def position(self) -> ev.Vector3:
        """Where we are, in metres."""
        return self._position

    @property
    def counters(self) -> Counter[str]:
        """How often: what its sessions count, those of closed rooms too.

        And late, returns (searches after a loss), skipped (movements and the like
        that waited for a room which then did not take them).
        """
        total = self._counts + self._merged.counters
        for session in self.rooms.values():
            total.update(session.counters)
        if isinstance(self._source, ArchipelagoSession):
            total.update(self._source.counters)
        total["late"] += self._island.way.late + self._scene.way.late
        return total

    @property
    def standing(self) -> Mapping[str, Standing]:
        """Where we stand with the room of each role, "island" (or the world's) and "scene"."""
        return {stay.role.value: stay.standing for stay in (self._island, self._scene)}

    @property
    def timers(self) -> Mapping[Timer, float]:
        """Every timer that runs, its rooms' and its island service's too, and when the first of each name is due.

        Those of a source of another make are its own business.
        """
        stays = [timer for stay in self.standing.values() for timer in stay.timers.items()]
        theirs: Mapping[Timer, float] = getattr(self._source, "timers", {})
        return earliest([*stays, *theirs.items(), *self._merged.timers.items(), (Timer.CLOSE, self._source_by)])

    def rooms_of(self, who: PeerId) -> tuple[str, ...]:
        """The labels of the rooms that a peer is in."""
        return self._merged.rooms_of(who)

    # --- beginning and end

    def open(self, *, now: float | None = None) -> None:
        """Begin.  RoomOpened("island") says that we are in; WorldClosed, that we can't be."""
        self.clock.pass_time(now)
        if (self._state, WorldTrigger.OPEN) not in WORLD_TRANSITIONS:
            msg = f"the session is {self._state.value}: make a new WorldSession to begin again"
            raise LocalProtocolError(msg)
        self._check_clock(signs=isinstance(self._target, str | SignedLoginAdapter))
        self._move(WorldTrigger.OPEN)
        self.clock.origin = self.clock.now
        self._seek(self._island)
        self._pump()

    def close(self, *, drain: float | None = None, now: float | None = None) -> None:
        """Leave all rooms and the island service; see RoomSession.close.  It is over when WorldClosed came."""
        self.clock.pass_time(now)
        if drain is not None and not isfinite(drain):
            msg = "drain is a finite number of seconds"
            raise LocalProtocolError(msg)
        self._move(WorldTrigger.CLOSE)
        if self._state is RoomState.CLOSING:
            self._shut(drain)
        self._pump()

    # --- signatures

    def provide_signature(self, request: int, chain: AuthChain, *, now: float | None = None) -> None:
        """Answer SignatureNeeded.  An answer that nobody waits for any more is counted as late and ignored.

        LocalProtocolError: the chain signs another payload; InvalidAuthChain: it has expired (by ClockSet), or is
        malformed; PacketTooLarge: no server would take it.  Then nothing was sent, and another may be given.
        """
        self.clock.pass_time(now)
        asked = self._requests.find(request)
        if asked is None:
            self._counts["late"] += 1
            return
        owner, number = asked
        if isinstance(owner, Way):
            owner.provide(number, chain, self.clock.now, self._unix_now())
        else:
            owner.provide_signature(number, chain, now=self.clock.now)
        self._pump()

    def refuse_signature(self, request: int, detail: str = "", *, now: float | None = None) -> None:
        """Answer SignatureNeeded: nobody will sign.  What needed it is over, with NOT_SIGNED: the scene, or all."""
        self.clock.pass_time(now)
        asked = self._requests.find(request)
        if asked is None:
            self._counts["late"] += 1
            return
        owner, number = asked
        if isinstance(owner, Way):
            stay = self._island if owner is self._island.way else self._scene
            self._outcome(stay, owner.refuse(number, detail))
        else:
            owner.refuse_signature(number, detail, now=self.clock.now)
        self._refusing = True
        self._pump()
        self._refusing = False

    # --- where we are

    def set_position(self, position: tuple[float, float, float], *, now: float | None = None) -> None:
        """Be somewhere, in metres (x east, y up, z north), without telling the rooms: for who only watches."""
        self.clock.pass_time(now)
        check_position(position)
        self._position = ev.Vector3(*position)
        if self._source is not None and self._state not in OVER:
            self._source.set_position(self._position, now=self.clock.now)
            self._pump()

    def check_moving(self, now: float | None = None) -> None:
        """May we move?  LocalProtocolError: not any more.  Before a room is open, movements wait for it."""
        self.clock.pass_time(now)
        if self._state in OVER:
            msg = f"the session is {self._state.value}: move before close()"
            raise LocalProtocolError(msg)

    def walk(self, movement: rfc4.Movement) -> None:
        """Be there, for the island service and for all rooms, those to come too."""
        where = (movement.position_x, movement.position_y, movement.position_z)
        check_position(where)
        self.set_position(where)
        self._movement = movement
        self._walk()
        self._pump()

    def check_sending(self, now: float | None = None) -> None:
        """May we move?  LocalProtocolError: no room is open; PermissionMissing: none of them lets us."""
        self.clock.pass_time(now)
        self._merged.check_sending(self.clock.now)

    # --- scenes

    def enter_scene(self, scene_id: str, parcel: tuple[int, int], *, now: float | None = None) -> None:
        """Be in this scene's room too, instead of the last one's.  The answer is RoomOpened or RoomClosed, "scene".

        ``scene_id`` is the entity's, ``parcel`` one of its own.  The newest call counts; the same scene again: nothing.
        Before the realm is known it waits.
        """
        self.clock.pass_time(now)
        if self._state in OVER or self._state is RoomState.NEW:
            msg = f"the session is {self._state.value}: enter scenes between open() and close()"
            raise LocalProtocolError(msg)
        self._check_clock(signs=True)
        x, y = parcel
        if self._wanted_scene is None or self._wanted_scene[0] != scene_id or self._scene.state is StayState.AWAY:
            self._wanted_scene = scene_id, (x, y)
            self._scene.attempt = 0
            self._enter_wanted_scene()
            self._pump()

    def leave_scene(self, *, drain: float | None = None, now: float | None = None) -> None:
        """Be in no scene's room any more."""
        self.clock.pass_time(now)
        self._wanted_scene = None
        self._moved = True
        self._scene.stop()
        self._merged.withdraw(RoomRole.SCENE, drain=drain, now=self.clock.now)
        self._pump()

    # --- the vocabulary

    def receive(self, inp: Input, *, now: float) -> None:
        """Take a fact from outside, and give it to the session whose link it names."""
        self.clock.pass_time(now)
        if self._stale:
            self._pump()
        if isinstance(inp, ClockSet):
            self._merged.receive(inp, now=self.clock.now)
            self.clock.set_unix(inp.unix_offset)
            if self._source is not None:
                self._source.receive(inp, now=self.clock.now)
            return
        link = getattr(inp, "link", None)
        stay = self._stay_of(link)
        if stay is not None:
            if not isinstance(inp, Fetched | FetchFailed):
                msg = f"the answer to a Fetch is Fetched or FetchFailed, not {type(inp).__name__}"
                raise LocalProtocolError(msg)
            self._outcome(stay, stay.way.receive(inp, self.clock.now, self._unix_now()))
        elif self._source is not None and isinstance(link, LinkRef) and link.link == self._source_link:
            self._source.receive(inp, now=self.clock.now)
        else:
            self._merged.receive(inp, now=self.clock.now)
        self._pump()

    def receive_data(
        self,
        sender: str | None,
        data: bytes,
        *,
        link: int,
        reliable: bool = True,
        topic: str = "",
        now: float,
        source: int | None = None,
    ) -> None:
        """Take a packet of a room's current link: what ``receive(DataReceived(...))`` does, without the object."""
        self.clock.pass_time(now)
        self._stale = True
        self._merged.receive_data(
            sender, data, link=link, reliable=reliable, topic=topic, now=self.clock.now, source=source
        )

    def receive_acknowledged(self, tokens: Iterable[int], *, link: int, now: float) -> None:
        """Take acknowledgements of packets of a room's current link, none of which failed."""
        self.clock.pass_time(now)
        self._stale = True
        self._merged.receive_acknowledged(tokens, link=link, now=self.clock.now)

    def handle_timeout(self, now: float) -> None:
        """Let time pass.  Calling it too early or too often does nothing."""
        self.clock.pass_time(now)
        if self._stale:
            self._pump()
        if self._source is not None:
            self._source.handle_timeout(self.clock.now)
        self._merged.handle_timeout(self.clock.now)
        # A room may move and tell nothing of it.
        self._moved = True
        self._pump()
        for stay in (self._island, self._scene):
            self._outcome(stay, stay.way.timed_out(self.clock.now))
            self._outcome(stay, stay.timed_out(self.clock.now))
            if stay.due is not None and stay.due <= self.clock.now:
                self._seek(stay)
        self._pump()
        source = self._source
        if source is not None and self._source_by is not None and self._source_by <= self.clock.now:
            self._give_up_source(source)

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed.  May change with any other call."""
        source, island, scene = self._source, self._island, self._scene
        times = (
            self._merged.deadline(),
            None if source is None else source.deadline(),
            island.way.deadline,
            scene.way.deadline,
            island.due,
            scene.due,
            island.until,
            scene.until,
            self._source_by,
        )
        return min((time for time in times if time is not None), default=None)

    @property
    def deadline_reason(self) -> Timer | None:
        """The timer behind the deadline; None: it is that of a source of another make, or there is none."""
        deadline = self.deadline()
        if deadline is None:
            return None
        stays = (self._island, self._scene)
        if deadline in {stay.way.deadline for stay in stays}:
            return Timer.REQUEST
        if deadline in {stay.due for stay in stays}:
            return Timer.SEEK
        if deadline in {stay.until for stay in stays}:
            return Timer.ENTER
        if deadline == self._source_by:
            return Timer.CLOSE
        merged = self._merged.deadline() == deadline
        return self._merged.deadline_reason if merged else getattr(self._source, "deadline_reason", None)

    def commands(self) -> list[Command]:
        """Take everything that the transports are to do, in order; ``link`` says which."""
        self._pump()
        commands, self._commands = self._commands, []
        return commands

    def events(self) -> list[ev.Event]:
        """Take everything that happened, in order."""
        self._pump()
        events, self._events = self._events, []
        return events

    # --- to the rooms

    def announce_profile(self, version: int, *, to: Addressees = EVERYONE, now: float | None = None) -> None:
        """Tell our profile's version, in all rooms, in those to come too.  ``to``: to some, once.

        Before any room is open it waits for the first.
        """
        self.clock.pass_time(now)
        check_version(version)
        if to is EVERYONE and not self._merged.sending:
            self._version = version
        else:
            self._merged.announce_profile(version, to=to, now=self.clock.now)
        self._pump()

    def offer_profile(self, version: int, serialized: str, *, base_url: str = "", now: float | None = None) -> None:
        """Announce a profile and answer those who ask for it, in all rooms, in those to come too."""
        build_profile(serialized, base_url)
        self.announce_profile(version, now=now)
        self._offer = version, serialized, base_url
        for session in self.rooms.values():
            self._present_to(session)
        self._pump()

    def attach(self, make: Callable[[int], MovementSource], *, now: float | None = None) -> None:
        """Listen to a movement source, which is made of a link's number; see MergedRooms.attach."""
        self.clock.pass_time(now)
        self._merged.attach(make(self._merged.new_link()), now=self.clock.now)
        self._pump()

    def put(
        self, messages: list[tuple[bytes, tuple[str, ...] | None, str]], *, reliable: bool, now: float | None
    ) -> None:
        """Give packets to the rooms that they are for.  What ``send_bytes`` ends in."""
        self.clock.pass_time(now)
        refused: list[CommsError] = []
        for data, named, topic in messages:
            to = EVERYONE if named is None else [PeerId(text) for text in named]
            try:
                self._merged.send_bytes(data, to=to, reliable=reliable, topic=topic, now=self.clock.now)
            except CommsError as error:
                refused.append(error)
        self._pump()
        if refused and len(refused) == len(messages):
            raise refused[0]
        for reason in refused:
            self.warn(ev.WarningCode.SEND_FAILED, str(reason))

    def _settle_rooms(self) -> None:
        self._pump()
