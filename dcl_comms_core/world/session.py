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
from typing import TYPE_CHECKING, Unpack

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.about import Realm
from dcl_comms_core.adapters.connection_string import SignedLoginAdapter
from dcl_comms_core.adapters.targets import parse_target
from dcl_comms_core.company.around import me
from dcl_comms_core.errors import CommsError, InvalidConnectionString, LocalProtocolError
from dcl_comms_core.handshake.archipelago import ArchipelagoSession
from dcl_comms_core.identity.auth_chain import require_address
from dcl_comms_core.identity.guard import ChallengeGuard
from dcl_comms_core.inputs import ClockSet, ConnectionQuality, Fetched, FetchFailed, LinkRef
from dcl_comms_core.merged.fan_out import Played
from dcl_comms_core.merged.roles import RoomRole
from dcl_comms_core.merged.session import MergedRooms
from dcl_comms_core.packets.motion import check_position
from dcl_comms_core.peers import EVERYONE, PeerId, addressees
from dcl_comms_core.proto import rfc4
from dcl_comms_core.pulse.choice import check_pulse
from dcl_comms_core.room.incoming.profiles import build_profile
from dcl_comms_core.room.options import RoomOptions
from dcl_comms_core.room.outgoing.intents import Intents, check_version, packed
from dcl_comms_core.room.output import Output
from dcl_comms_core.states import RoomState, StayState, Timer, WorldTrigger
from dcl_comms_core.tools.arguments import are_finite, require, require_number
from dcl_comms_core.tools.bare import raises_bare
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.labels import Label
from dcl_comms_core.tools.prng import Prng
from dcl_comms_core.tools.timers import earliest
from dcl_comms_core.tools.urls import request_url
from dcl_comms_core.weather.away import Away
from dcl_comms_core.weather.can import Cannot, Obstacle, ability
from dcl_comms_core.world.admission import Admission
from dcl_comms_core.world.discovery import OlderForms, Way
from dcl_comms_core.world.held import Held
from dcl_comms_core.world.islands import IslandService
from dcl_comms_core.world.lifecycle import Lifecycle
from dcl_comms_core.world.listening import Listening
from dcl_comms_core.world.login import Login
from dcl_comms_core.world.membership import Stay
from dcl_comms_core.world.movement import Movement, check_label
from dcl_comms_core.world.pulse import PulseMaker
from dcl_comms_core.world.rejoining import JOINABLE, Rejoining
from dcl_comms_core.world.scenes import Scenes, Wish
from dcl_comms_core.world.waiting import Waiting

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Mapping

    from dcl_comms_core.adapters.connection_string import Adapter, ArchipelagoAdapter
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command
    from dcl_comms_core.company.around import Me
    from dcl_comms_core.company.ignoring import Ignored
    from dcl_comms_core.identity.auth_chain import AuthChain
    from dcl_comms_core.inputs import Input, Track, TrackSource
    from dcl_comms_core.merged.presence import Presence
    from dcl_comms_core.merged.sources import IslandSource, MovementSource
    from dcl_comms_core.peers import Addressees, Who
    from dcl_comms_core.pulse.choice import PulseSetting
    from dcl_comms_core.room.incoming.allowances import PeerTraffic
    from dcl_comms_core.room.incoming.profiles import Profile
    from dcl_comms_core.room.options import RoomSettings
    from dcl_comms_core.room.outgoing.outbox import Messages
    from dcl_comms_core.room.session import RoomSession
    from dcl_comms_core.weather.can import Ability, Can
    from dcl_comms_core.world.membership import Standing

__all__ = ["WorldSession"]


class WorldSession(Intents):
    """A whole presence in a realm.  Makes no connection, reads no clock, starts nothing.

    ``target``: a realm's http(s) URL, a connection string, or an Adapter.  ``address``: the wallet's; None: there is
    none, and what needs a signature ends with NO_WALLET.  ``guard``: what may be signed, and where; None: challenges of
    the Foundation's hosts, of the target's and of the gatekeeper's.  ``position``: where we are until we say otherwise.
    ``gatekeeper``: who gives scenes' rooms, a URL to post to; None: as the table in ``scenes`` says.  ``realm_name``:
    what that one is told that the realm is called; None: as the realm says, else ``main``.  ``is_guest``: the wallet is
    a throw-away one.  ``secret``: the password of a world that has one, said to that world's host only.  ``plain``:
    a realm may name LiveKit servers in the clear that are not on loopback.  ``islands``: makes an IslandSource of the
    island service's adapter and a link's number; None: ArchipelagoSession.
    ``pulse``: whether and where Pulse is asked, see ``dcl_comms_core.pulse.choice``; ``movement``: makes another
    MovementSource instead, of what the realm says of itself, a link's number and where the realm was reached, or none.
    Either is opened once the realm is known, beside the island service, and its end is not the world's.
    ``heartbeat``: seconds between two of the island service's.  ``settings``: those of
    :class:`~dcl_comms_core.room.options.RoomOptions`, or of ``options`` what is to be different; ``reconnect`` says how
    to come back into what was lost, None for never; the first attempt at the island's or world's room is never
    repeated.

    Events are those of all its sessions: RoomClosed ends one room ("island", which is also a world's, or "scene"),
    RealmClosed the session with the island service ("realm"), and WorldClosed all.  The wall clock has to be set
    (ClockSet) before ``open()`` where requests may have to be signed.
    """

    @raises_bare(InvalidConnectionString)
    def __init__(  # noqa: PLR0913 - what may be told, each by its name
        self,
        target: str | Adapter,
        *,
        address: str | None = None,
        guard: ChallengeGuard | None = None,
        position: tuple[float, float, float] = (0.0, 0.0, 0.0),
        gatekeeper: str | None = None,
        realm_name: str | None = None,
        is_guest: bool = False,
        secret: str | None = None,
        plain: bool = False,
        islands: Callable[[ArchipelagoAdapter, int], IslandSource] | None = None,
        heartbeat: float = 1.0,
        pulse: PulseSetting = None,
        movement: Callable[[Realm, int, Place | None], MovementSource | None] | None = None,
        options: RoomOptions | None = None,
        **settings: Unpack[RoomSettings],
    ) -> None:
        chosen = RoomOptions.of(options, settings)
        limits, backoff = chosen.limits, chosen.reconnect
        where = parse_target(target, limits=limits)
        check_position(position)
        check_pulse(pulse)
        if address is not None:
            require_address(address)
        if gatekeeper is not None:
            gatekeeper = request_url(gatekeeper)
        if guard is None:
            named = where if isinstance(where, str) else getattr(where, "url", None)
            guard = ChallengeGuard(limits=limits).allowing(*(url for url in (named, gatekeeper) if url is not None))
        super().__init__(limits, Clock())
        again = backoff
        if backoff is not None and not isinstance(where, JOINABLE):
            again = replace(backoff, attempts=min(backoff.attempts, limits.rejoin_attempts))
        merged = MergedRooms(address=address, guard=guard, clock=self.clock, options=replace(chosen, reconnect=again))

        def source(adapter: ArchipelagoAdapter, link: int, within: Place | None) -> IslandSource | None:
            if islands is not None:
                return islands(adapter, link)
            if address is None:
                return None
            return ArchipelagoSession(
                adapter,
                address=address,
                guard=guard,
                link=link,
                limits=limits,
                entropy=chosen.entropy + link,
                reconnect=backoff,
                heartbeat=heartbeat,
                within=within,
            )

        def stay(role: RoomRole) -> Stay:
            label = Label(role.value, self.clock)
            way = Way(
                link=merged.new_link(),
                room=label,
                limits=limits,
                guard=guard,
                address=address,
                older=older,
            )
            return Stay(role, way, backoff=backoff, prng=prng, limits=limits)

        prng, older = Prng(chosen.entropy), OlderForms(limits)
        self._target = where
        self._signs = address is not None
        self._away = chosen.away
        self._asks_pulse = pulse is not None and movement is None
        self._merged = merged
        self._arrivals = merged.arrivals
        self._output = Output(Label("", self.clock), self.clock)
        self._lifecycle = Lifecycle()
        self._island, self._scene = stay(RoomRole.ISLAND), stay(RoomRole.SCENE)
        self._islands = IslandService(
            self.clock,
            limits,
            make=source,
            new_link=merged.new_link,
            foreign=islands is not None,
            position=position,
        )
        url = where if isinstance(where, str) else None
        self._movement = Movement(
            merged,
            self.clock,
            limits,
            self._output,
            make=PulseMaker(pulse, url, address, guard, chosen, self.warn).make if movement is None else movement,
            name=realm_name,
        )
        merged.set_position(position, now=None)
        login = Login(where, is_guest=is_guest, secret=secret)
        self._scenes = Scenes(where, gatekeeper=gatekeeper, realm_name=realm_name, login=login)
        self._waiting = Waiting(merged, self.clock)
        self._held = Held(
            merged,
            (self._island, self._scene),
            scenes=self._scenes,
            islands=self._islands,
            lifecycle=self._lifecycle,
            output=self._output,
            clock=self.clock,
            limits=limits,
            away=chosen.away,
        )
        self._rejoining = Rejoining(
            where,
            (self._island, self._scene),
            merged=merged,
            islands=self._islands,
            scenes=self._scenes,
            lifecycle=self._lifecycle,
            output=self._output,
            clock=self.clock,
            movement=self._movement,
            admission=Admission(self._signs, plain),
        )
        self._listening = Listening(
            merged=merged,
            islands=self._islands,
            rejoining=self._rejoining,
            waiting=self._waiting,
            held=self._held,
            lifecycle=self._lifecycle,
            output=self._output,
            requests=limits.rooms + 3,
            movement=self._movement,
            own_credentials=isinstance(where, JOINABLE),
        )
        self._deadline: float | None = None

    # --- what the world may ask

    @property
    def state(self) -> RoomState:
        """Where the session stands: OPEN while it is in the island's or world's room, WAITING while it returns."""
        return self._lifecycle.state

    @property
    def identity(self) -> PeerId | None:
        """Who we are, as a server said; None before the first of them did."""
        return self._listening.identity

    @property
    def island(self) -> ev.IslandChanged | None:
        """The newest island that we were told of.  Its connection string may be spent."""
        return self._islands.news

    @property
    def position(self) -> ev.Vector3:
        """Where we are, in metres."""
        return self._islands.position

    @property
    def me(self) -> Me:
        """We ourselves, as we told of us last, and where the island service knows us to be."""
        rooms = tuple(session.room for session in self._merged.rooms.values() if session.sending)
        return me(self.identity, self.moved, rooms, self.position)

    @property
    def realm(self) -> Realm | None:
        """What the realm's ``/about`` said last; None: it was not asked, or did not answer."""
        return self._island.way.realm

    @property
    def place(self) -> Place | None:
        """Where the realm's server is, which answered ``/about``: what it names may be requested within that."""
        return self._island.way.place

    @property
    def rooms(self) -> Mapping[int, RoomSession]:
        """The sessions of all rooms that are not closed, by the number of their link: for reading."""
        return self._merged.rooms

    @property
    def quality(self) -> ConnectionQuality | None:
        """How good the servers of the rooms find our ways to them, of these the worst; None: none said."""
        told = {session.quality for session in self.rooms.values()}
        return next((quality for quality in reversed(ConnectionQuality) if quality in told), None)

    @property
    def peers(self) -> Presence:
        """Who is in any of the rooms."""
        return self._merged.peers

    @property
    def counters(self) -> Counter[str]:
        """How often: what its sessions count, those of closed rooms too.

        And late, returns (searches after a loss), skipped (movements and the like
        that waited for a room which then did not take them).
        """
        total = self._output.counters + self._merged.counters
        for session in self.rooms.values():
            total.update(session.counters)
        total.update(self._islands.counters)
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
        theirs = [*self._islands.timers.items(), *self._merged.timers.items()]
        ours = (
            (Timer.CLOSE, self._islands.by),
            (Timer.ISLAND, self._movement.deadline),
            (Timer.WAITING, self._held.due),
        )
        return earliest([*stays, *theirs, *ours])

    def rooms_of(self, who: Who) -> tuple[str, ...]:
        """The labels of the rooms that a peer is in."""
        return self._merged.rooms_of(who)

    # --- beginning and end

    def open(self, *, now: float | None = None) -> None:
        """Begin.  RoomOpened("island") says that we are in; WorldClosed, that we can't be."""
        self.clock.pass_time(now)
        if not self._lifecycle.may(WorldTrigger.OPEN):
            msg = f"the session is {self.state.value}: make a new WorldSession to begin again"
            raise LocalProtocolError(msg)
        # Pulse wants the time signed, whatever leads to the rooms.
        self._check_clock(signs=isinstance(self._target, str | SignedLoginAdapter) or self._asks_pulse)
        self._lifecycle.move(WorldTrigger.OPEN)
        self.clock.origin = self.clock.now
        self._rejoining.seek(self._island)
        if not isinstance(self._target, str):
            # Nobody asks for a document: all that is known of the realm is what the user said.
            self._movement.follow(Realm(), None)
        self._listening.pump()

    def close(self, *, drain: float | None = None, now: float | None = None) -> None:
        """Leave all rooms and the island service; see RoomSession.close.  It is over when WorldClosed came."""
        self.clock.pass_time(now)
        _check_drain(drain)
        self._lifecycle.move(WorldTrigger.CLOSE)
        if self.state is RoomState.CLOSING:
            self._rejoining.shut(drain)
        self._listening.pump()

    # --- signatures

    def provide_signature(self, request: int, chain: AuthChain, *, now: float | None = None) -> None:
        """Answer SignatureNeeded.  An answer that nobody waits for any more is counted as late and ignored.

        LocalProtocolError: the chain signs another payload; InvalidAuthChain: it has expired (by ClockSet), or is
        malformed; PacketTooLarge: no server would take it.  Then nothing was sent, and another may be given.
        """
        self.clock.pass_time(now)
        asked = self._listening.requests.find(request)
        if asked is None:
            self._output.counters["late"] += 1
            return
        owner, number = asked
        if isinstance(owner, Way):
            owner.provide(number, chain, self.clock.now, self._rejoining.unix_now)
        else:
            owner.provide_signature(number, chain, now=self.clock.now)
        self._listening.pump()

    def refuse_signature(self, request: int, detail: str = "", *, now: float | None = None) -> None:
        """Answer SignatureNeeded: nobody will sign.  What needed it is over, with NOT_SIGNED: the scene, or all."""
        self.clock.pass_time(now)
        asked = self._listening.requests.find(request)
        if asked is None:
            self._output.counters["late"] += 1
            return
        owner, number = asked
        if isinstance(owner, Way):
            stay = self._island if owner is self._island.way else self._scene
            self._rejoining.outcome(stay, owner.refuse(number, detail))
        else:
            owner.refuse_signature(number, detail, now=self.clock.now)
        self._rejoining.refusing = True
        self._listening.pump()
        self._rejoining.refusing = False

    # --- where we are

    def set_position(self, position: tuple[float, float, float], *, now: float | None = None) -> None:
        """Be somewhere, in metres (x east, y up, z north), without telling the rooms: for who only watches."""
        self.clock.pass_time(now)
        check_position(position)
        where = ev.Vector3(*position)
        if self._lifecycle.over:
            self._islands.position = where
        else:
            self._islands.move(where)
            self._merged.set_position(where, now=self.clock.now)
            self._listening.pump()

    def set_desired_room(self, island: str | None, *, now: float | None = None) -> None:
        """Prefer an island, by its id, of those that are near; None: any.  The service may put us on it, or not.

        It is remembered, before there is an island service and when that is asked anew.  Realms without islands, and
        sources of another make that have no such verb, are told nothing.  PacketTooLarge: no server would take it.
        """
        self.clock.pass_time(now)
        self._islands.prefer(island)
        self._listening.pump()

    def check_moving(self, now: float | None = None) -> None:
        """May we move?  LocalProtocolError: not any more.  Before a room is open, movements wait for it."""
        self.clock.pass_time(now)
        if self._lifecycle.over:
            msg = f"the session is {self.state.value}: move before close()"
            raise LocalProtocolError(msg)

    def walk(self, movement: rfc4.Movement) -> None:
        """Be there, for the island service and for all rooms, those to come too."""
        where = (movement.position_x, movement.position_y, movement.position_z)
        check_position(where)
        self._islands.move(ev.Vector3(*where))
        # A movement says it to sources that are open.
        self._merged.set_position(where, moving=True, now=self.clock.now)
        self._waiting.walk(movement)
        self._listening.pump()

    def check_sending(self, now: float | None = None) -> None:
        """Raise unless we may send, or what we say may wait.

        NotInARoom: no room is open, and ``away`` says not to wait; LocalProtocolError: it is over; PermissionMissing:
        no room lets us.
        """
        self.clock.pass_time(now)
        if not self._lifecycle.over and not self._merged.sending:
            if self._away is Away.RAISE:
                raise self._held.not_in_a_room()
        else:
            self._merged.check_sending(self.clock.now)

    def can(self, what: Can) -> Ability:
        """Whether all of this can be done in the rooms as they are now, and if not, why."""
        return ability(what, self.obstacle)

    def obstacle(self, one: Can) -> Obstacle | None:
        """Why one thing can't be done now; None: it can."""
        if self._lifecycle.over:
            return Obstacle(Cannot.OVER, f"the world is {self.state.value}")
        return self._merged.obstacle(one)

    # --- whom we ignore

    def ignore(self, who: Who, *, seconds: float | None = None, now: float | None = None) -> None:
        """Let go what somebody sends, in all rooms, in those to come too; see RoomSession.ignore."""
        self.clock.pass_time(now)
        self._merged.ignore(who, seconds=seconds, now=self.clock.now)
        self._listening.pump()

    def unignore(self, who: Who, *, now: float | None = None) -> bool:
        """Listen to somebody again.  False: it was not ignored."""
        self.clock.pass_time(now)
        found = self._merged.unignore(who, now=self.clock.now)
        self._listening.pump()
        return found

    @property
    def ignored(self) -> Ignored:
        """Who is ignored, and until when."""
        return self._merged.ignored

    # --- scenes

    def enter_scene(self, scene_id: str, parcel: tuple[int, int], *, now: float | None = None) -> None:
        """Be in this scene's room too, instead of the last one's.  The answer is RoomOpened or RoomClosed, "scene".

        ``scene_id`` is the entity's, ``parcel`` one of its own.  The newest call counts; the same scene again: nothing.
        Before the realm is known it waits.
        """
        self.clock.pass_time(now)
        if self._lifecycle.over or self.state is RoomState.NEW:
            msg = f"the session is {self.state.value}: enter scenes between open() and close()"
            raise LocalProtocolError(msg)
        self._check_clock(signs=True)
        require(scene_id, str, "a scene is named by its entity's id, a text")
        whole = are_finite(parcel, 2) and all(isinstance(part, int) for part in parcel)  # pyright: ignore[reportUnnecessaryIsInstance]
        if not scene_id or not whole:
            msg = "a scene is entered by its entity's id and one of its parcels, two whole numbers: (x, y)"
            raise LocalProtocolError(msg)
        x, y = parcel
        wanted = self._scenes.wanted
        if wanted is None or wanted.scene_id != scene_id or self._scene.state is StayState.AWAY:
            self._scenes.wanted = Wish(scene_id, (x, y))
            self._scene.begin_anew()
            self._rejoining.enter_scene()
            self._listening.pump()

    def leave_scene(self, *, drain: float | None = None, now: float | None = None) -> None:
        """Be in no scene's room any more."""
        _check_drain(drain)
        self.clock.pass_time(now)
        self._scenes.wanted = None
        self._lifecycle.moved = True
        self._scene.stop()
        self._merged.withdraw(RoomRole.SCENE, drain=drain, now=self.clock.now)
        self._listening.pump()

    # --- the vocabulary

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
        self._arrivals.receive(sender, data, link, reliable, topic, now, source)

    def receive_acknowledged(self, tokens: Iterable[int], *, link: int, now: float) -> None:
        """Take acknowledgements of packets of a room's current link, none of which failed."""
        self._merged.receive_acknowledged(tokens, link=link, now=now)
        self._listening.moved = True

    def receive(self, inp: Input, *, now: float) -> None:
        """Take a fact from outside, and give it to the session whose link it names."""
        self.clock.pass_time(now)
        link = getattr(inp, "link", None)
        sources = self._merged.children.sources
        if isinstance(link, LinkRef) and link.link in sources:
            # By far the most of what comes of it moves nobody, unless it is over.
            self._listening.catch_up(others=False)
            self._merged.receive(inp, now=self.clock.now)
            if link.link in sources:
                self._listening.catch_up()
            else:
                self._listening.pump()
            return
        self._listening.catch_up()
        if isinstance(inp, ClockSet):
            self._merged.receive(inp, now=self.clock.now)
            self._islands.receive(inp)
            return
        stay = self._stay_of(link)
        if stay is not None:
            if not isinstance(inp, Fetched | FetchFailed):
                msg = f"the answer to a Fetch is Fetched or FetchFailed, not {type(inp).__name__}"
                raise LocalProtocolError(msg)
            self._rejoining.outcome(stay, stay.way.receive(inp, self.clock.now, self._rejoining.unix_now))
            way = self._island.way
            if way.realm is not None and not self._lifecycle.over:
                self._movement.follow(way.realm, way.place)
        elif self._islands.source is not None and isinstance(link, LinkRef) and link.link == self._islands.link:
            self._islands.receive(inp)
        else:
            self._merged.receive(inp, now=self.clock.now)
        self._listening.pump()

    def handle_timeout(self, now: float) -> None:
        """Let time pass.  Calling it too early or too often does nothing."""
        self.clock.pass_time(now)
        self._listening.catch_up()
        self._held.expire()
        self._islands.handle_timeout()
        self._merged.handle_timeout(self.clock.now)
        # A room that begins to be joined anew tells nothing, and takes no packets.
        self._lifecycle.moved = True
        self._listening.pump()
        self._rejoining.handle_timeout()
        self._listening.pump()
        source, end = self._islands.source, self._islands.overdue()
        if source is not None and end is not None:
            self._listening.hear(source, [end])
            self._listening.pump()

    def deadline(self) -> float | None:
        """When to call ``handle_timeout`` at the latest; None: not needed.  May change with any other call."""
        listening, children = self._listening, self._merged.children
        if listening.moved or children.news or children.sources or self._islands.foreign:
            listening.moved = False
            merged, islands = self._merged.deadline(), self._islands.deadline()
            stays, others = (self._island.deadline, self._scene.deadline), (self._movement.deadline, self._held.due)
            times = (*stays, islands, merged, *others)
            self._deadline = min((time for time in times if time is not None), default=None)
        return self._deadline

    @property
    def deadline_reason(self) -> Timer | None:
        """The timer behind the deadline; None: it is that of a source of another make, or there is none."""
        deadline = self.deadline()
        if deadline is None:
            return None
        stays = (self._island, self._scene)
        own = {
            Timer.REQUEST: [stay.way.deadline for stay in stays],
            Timer.SEEK: [stay.due for stay in stays],
            Timer.ENTER: [stay.until for stay in stays],
            Timer.CLOSE: [self._islands.by],
            Timer.ISLAND: [self._movement.deadline],
            Timer.WAITING: [self._held.due],
        }
        for timer, times in own.items():
            if deadline in times:
                return timer
        return self._merged.deadline_reason if self._merged.deadline() == deadline else self._islands.reason

    def commands(self) -> list[Command]:
        """Take everything that the transports are to do, in order; ``link`` says which."""
        self._listening.catch_up()
        return self._output.take_commands() if self._output.commands else []

    def events(self) -> list[ev.Event]:
        """Take everything that happened, in order."""
        self._listening.catch_up()
        return self._output.take_events()

    # --- to the rooms

    def announce_profile(self, version: int, *, to: Addressees = EVERYONE, now: float | None = None) -> None:
        """Tell our profile's version, in all rooms, in those to come too.  ``to``: to some, once.

        Before any room is open it waits for the first.
        """
        self.clock.pass_time(now)
        check_version(version)
        if to is EVERYONE:
            self._waiting.announce(version)
        else:
            super().announce_profile(version, to=to, now=self.clock.now)
        self._listening.pump()

    def offer_profile(self, version: int, serialized: str, *, base_url: str = "", now: float | None = None) -> None:
        """Announce a profile and answer those who ask for it, in all rooms, in those to come too."""
        build_profile(serialized, base_url, self.limits.offered_profile_bytes)
        self.announce_profile(version, now=now)
        self._waiting.offer(version, serialized, base_url)
        self._listening.pump()

    def attach(self, make: Callable[[int], MovementSource], *, now: float | None = None) -> None:
        """Listen to a movement source, which is made of a link's number; see MergedRooms.attach."""
        self.clock.pass_time(now)
        source = make(self._merged.new_link())
        check_label(source)
        self._merged.attach(source, now=self.clock.now)
        self._listening.pump()

    def put(
        self,
        messages: Messages,
        *,
        reliable: bool,
        now: float | None,
        else_everybody: bool = False,
    ) -> None:
        """Give packets of one content to the rooms that they are for, or keep them for those that are looked for.

        What ``send_bytes`` ends in.
        """
        self.clock.pass_time(now)
        if self._held.take(messages, reliable=reliable, else_everybody=else_everybody):
            self._listening.moved = True
            return
        refused: list[CommsError] = []
        # One that can't be sent keeps no other back, except where all may become one.
        for group in [messages] if else_everybody else [[message] for message in messages]:
            try:
                self._merged.put(group, reliable=reliable, else_everybody=else_everybody, now=self.clock.now)
            except CommsError as error:
                refused.append(error)
        self._listening.pump()
        if refused and len(refused) == len(messages):
            raise refused[0]
        for reason in refused:
            self.warn(ev.WarningCode.SEND_FAILED, str(reason))

    def play(
        self,
        emote: rfc4.PlayerEmote,
        duration: float | None,
        *,
        to: Addressees,
        now: float | None,
        else_everybody: bool = False,
    ) -> None:
        """Send an emote, or keep it for rooms that are looked for.  What ``emote`` ends in."""
        self.clock.pass_time(now)
        data = packed(rfc4.Packet(player_emote=emote), self.limits)
        named = None if to is EVERYONE else addressees(to)
        messages: Messages = [] if named == () else [(data, named, "")]
        if self._held.take(messages, reliable=True, played=Played(emote, duration), else_everybody=else_everybody):
            self._listening.moved = True
        else:
            to = EVERYONE if named is None else [PeerId(text) for text in named]
            self._merged.play(emote, duration, to=to, else_everybody=else_everybody, now=self.clock.now)
            self._listening.pump()

    def warn(self, code: ev.WarningCode, text: str) -> None:
        """Tell a Warning."""
        self._output.warn(code, text)

    # --- credit, profiles, tracks: over all rooms

    @property
    def sending(self) -> bool:
        """Whether any room takes packets."""
        return self._merged.sending

    @property
    def waiting(self) -> int:
        """Packets that wait for credit in all rooms, or for a room to be back."""
        return self._merged.waiting + self._held.waiting

    @property
    def waiting_bytes(self) -> int:
        """What the packets that wait for credit hold."""
        return self._merged.waiting_bytes + self._held.waiting_bytes

    @property
    def in_flight_bytes(self) -> int:
        """What the packets hold that the transports have and did not acknowledge yet."""
        return self._merged.in_flight_bytes

    @property
    def credits(self) -> int:
        """Further packets that every open room would take now."""
        return self._merged.credits

    @property
    def unacknowledged(self) -> int:
        """Packets that wait for credit or an acknowledgement in all rooms, or for a room to be back."""
        return self._merged.unacknowledged + self._held.waiting

    def has_credit(self, *, reliable: bool = True) -> bool:
        """Whether a packet sent now goes straight to the transports of all open rooms."""
        return self._merged.has_credit(reliable=reliable)

    def traffic(self, who: Who) -> PeerTraffic | None:
        """What came from a peer, in the room where its abuse score is highest; None: no room knows it."""
        return self._merged.traffic(who)

    def request_profile(self, who: Who, version: int = 0, *, now: float | None = None) -> bool:
        """Ask a peer for its own profile, in the first room that has it; see RoomSession.request_profile."""
        asked = self._merged.request_profile(who, version, now=now)
        self._listening.pump()
        return asked

    def profile(self, who: Who) -> Profile | None:
        """The profile that a peer sent, the newest of its versions; None: none, or it was forgotten."""
        return self._merged.profile(who)

    def subscribe(self, track: Track | str, *, wanted: bool = True, now: float | None = None) -> bool:
        """Receive a track, or stop receiving it, in whichever room it is; see RoomSession.subscribe."""
        known = self._merged.subscribe(track, wanted=wanted, now=now)
        self._listening.pump()
        return known

    def room_with(self, track: Track | str) -> int | None:
        """The number of the link of the room in which somebody offers this track; None: nobody does any more."""
        return self._merged.room_with(track)

    def check_publish(self, source: TrackSource) -> None:
        """May we publish a track from this source somewhere?  Raises what ``room_to_publish`` raises."""
        self._merged.room_to_publish(source)

    def room_to_publish(self, source: TrackSource) -> int:
        """The number of the link of the room in which a track from this source is published: the first that allows it.

        NotInARoom: no room is open; LocalProtocolError: none has tracks; PermissionMissing: no token allows it.
        """
        return self._merged.room_to_publish(source)

    # --- small help

    def _stay_of(self, link: object) -> Stay | None:
        for stay in (self._island, self._scene):
            if isinstance(link, LinkRef) and link.link == stay.way.link:
                return stay
        return None

    def _check_clock(self, *, signs: bool) -> None:
        if signs and self._signs and self.clock.unix_offset is None:
            msg = "signed requests need the wall clock: receive(ClockSet(unix_offset=...)) first"
            raise LocalProtocolError(msg)


def _check_drain(drain: float | None) -> None:
    if drain is not None:
        require_number(drain, "drain is a finite number of seconds")
