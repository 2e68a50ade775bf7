"""The application's handle of a room or a realm, the same on every loop: what it says, what is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.merged.overview import PeersOfRooms
from dcl_comms_core.peers import EVERYONE, peer_id
from dcl_comms_drivers.connection.people import People
from dcl_comms_drivers.connection.stats import collect
from dcl_comms_drivers.connection.walking import Walking
from dcl_comms_drivers.connection.weather import can
from dcl_comms_drivers.connection.world_link import WorldLink
from dcl_comms_drivers.media.feeds import innermost

if TYPE_CHECKING:
    from dcl_comms_core.adapters.about import Realm
    from dcl_comms_core.adapters.token import Grants
    from dcl_comms_core.company.around import Me
    from dcl_comms_core.company.ignoring import Ignored
    from dcl_comms_core.events import IslandChanged
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.peers import Addressees, Peer, PeerId, PeerTable, Who
    from dcl_comms_core.proto import rfc4
    from dcl_comms_core.room.incoming.allowances import PeerTraffic
    from dcl_comms_core.room.incoming.profiles import Profile
    from dcl_comms_core.room.session import RoomSession
    from dcl_comms_core.states import RoomState
    from dcl_comms_core.walking.course import Point
    from dcl_comms_core.weather.can import Ability, Can
    from dcl_comms_core.world.session import WorldSession
    from dcl_comms_drivers.connection.driver import Driver
    from dcl_comms_drivers.connection.stats import Stats

__all__ = ["BaseConnection"]


class BaseConnection:
    """A room, or a realm with its rooms, as the application sees it, without anything that waits.

    The verbs (``chat``, ``move``, ``emote``, ``send_nowait`` and so on) act at once.  While no room is open, and one is
    looked for or repaired, ``move`` is remembered and the others wait for it, or raise NotInARoom: see the setting
    ``away``.  They raise ConnectionLost, with why, once the connection is over; LocalProtocolError when they are
    misused; SendQueueFull when too much waits already; PacketTooLarge; PermissionMissing.
    """

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        """What turns it: its session, its link, its wallet."""
        self._peers = cast("RoomSession", driver.session).peers if driver.realm is None else PeersOfRooms(driver.realm)
        self._people = People(driver, self._peers)
        self.walking = Walking(driver, self._peers.get)
        """The walker beside it."""

    # --- what is known

    @property
    def identity(self) -> PeerId | None:
        """Who we are in the room."""
        return self.driver.session.identity

    @property
    def peers(self) -> PeerTable | PeersOfRooms:
        """Who else is in the room, or in any room of the realm, or told of by a movement source, by PeerId."""
        return self._peers

    @property
    def me(self) -> Me:
        """We ourselves: where we are as we told last, and in which rooms."""
        return self._people.me

    def near(self, metres: float, *, around: Who | tuple[float, float, float] | None = None) -> list[Peer]:
        """Who is within so many metres, the nearest first, of those who told where they are.

        Of us, or ``around`` a peer (KeyError: it is not here) or a place.  Whom we ignore is left out.
        """
        return self._people.near(metres, around)

    def nearest(self, *, around: Who | tuple[float, float, float] | None = None) -> Peer | None:
        """Who is nearest, as of ``near``; None: nobody told where it is."""
        return self._people.nearest(around)

    @property
    def realm(self) -> Realm | None:
        """What the realm's ``/about`` said last; None: it was not asked."""
        return None if self.driver.realm is None else self.driver.realm.realm

    @property
    def island(self) -> IslandChanged | None:
        """The island that we are on, as the realm's island service said; None: it said nothing, or there is none."""
        return None if self.driver.realm is None else self.driver.realm.island

    def rooms_of(self, who: Who) -> tuple[str, ...]:
        """The rooms of the realm that a peer is in: ``island``, which is also a world's room, and ``scene``.

        Empty: it is in none of ours; a movement source may tell of it all the same.
        """
        who = peer_id(who)
        return () if self.driver.realm is None else self.driver.realm.rooms_of(who)

    def traffic(self, who: Who) -> PeerTraffic | None:
        """What came from a peer, and its abuse score; None: it is not known, or was forgotten after it left."""
        return self.driver.session.traffic(who)

    @property
    def state(self) -> RoomState:
        """Where the connection stands."""
        return self.driver.session.state

    @property
    def stats(self) -> Stats:
        """Counts since the connection was made, and how things stand."""
        driver = self.driver
        return collect(
            driver.session,
            link=innermost(driver.link).name,
            links=driver.link.names if isinstance(driver.link, WorldLink) else {},
            unread_events=len(driver.inbox.unread),
            dropped_events=driver.inbox.dropped,
            never_read=driver.inbox.never_read,
            coalesced=driver.inbox.unread.coalesced,
            let_go=driver.link.let_go if isinstance(driver.link, WorldLink) else {},
            round_trip=driver.round_trip,
        )

    def request_stats(self) -> None:
        """Have ``stats.round_trip`` measured again; ``stats.round_trip_at`` changes when the answer has come."""
        self.driver.measure()

    @property
    def crash(self) -> Exception | None:
        """What ended the connection and is no event: a bug of this library, or an error of the wallet's; or None."""
        return self.driver.crash

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.state.value} as {self.identity}>"

    def grants(self, room: str | None = None) -> Grants | None:
        """What we may do in the room, by the server's newest word; None: everything, or there is no such room.

        ``room``: of a realm, ``island`` or ``scene``; None: the first that there is.
        """
        session = self._session_of(room)
        return None if session is None else session.grants

    def room_metadata(self, room: str | None = None) -> str:
        """What the server says of the room, free text: as of ``grants``.  Empty: nothing."""
        session = self._session_of(room)
        return "" if session is None else session.metadata

    def _session_of(self, room: str | None) -> RoomSession | None:
        realm = self.driver.realm
        sessions = [cast("RoomSession", self.driver.session)] if realm is None else realm.rooms.values()
        return next((session for session in sessions if room is None or session.room == room), None)

    # --- whom we ignore

    def ignore(self, who: Who, *, seconds: float | None = None) -> None:
        """Hear nothing of somebody, here or not, for so long; None: until ``unignore``.  See docs/company.md."""
        session, now = self.driver.begin()
        session.ignore(who, seconds=seconds, now=now)
        self.driver.after()

    def unignore(self, who: Who) -> bool:
        """Hear somebody again.  False: it was not ignored."""
        session, now = self.driver.begin()
        found = session.unignore(who, now=now)
        self.driver.after()
        return found

    @property
    def ignored(self) -> Ignored:
        """Who is ignored, and until when, by PeerId."""
        return self.driver.session.ignored

    def can(self, what: Can) -> Ability:
        """Whether all of this can be done in the rooms as they are now: true or false, and ``reason`` says why not."""
        return can(self.driver, what)

    # --- in a room

    def chat(
        self,
        text: str,
        to: Addressees = EVERYONE,
        *,
        channel: str = "",
        stamp: float | None = None,
        else_everybody: bool = False,
    ) -> float:
        """Write to everybody, privately to each of the peers named, or to a community; see ``RoomSession.chat``.

        A ws-room has no private messages: there it is NoWhispers, or (``else_everybody``) everybody gets it.
        """
        session, now = self.driver.begin()
        stamp = session.chat(text, to=to, channel=channel, stamp=stamp, else_everybody=else_everybody, now=now)
        self.driver.after()
        return stamp

    def move(
        self,
        position: tuple[float, float, float] | rfc4.Movement,
        *,
        velocity: tuple[float, float, float] = (0.0, 0.0, 0.0),
        yaw: float = 0.0,
        grounded: bool = True,
        instant: bool = False,
        to: Addressees = EVERYONE,
    ) -> None:
        """Be somewhere: metres (x east, y up, z north), m/s, degrees clockwise from north.

        It goes out at the explorers' pace, and is repeated while nothing changes; see ``RoomSession.move``.
        """
        session, now = self.driver.begin()
        session.move(position, velocity=velocity, yaw=yaw, grounded=grounded, instant=instant, to=to, now=now)
        if to is EVERYONE:
            self.walking.moved(position, velocity, yaw)
        self.driver.after()

    def face(self, target: Who | Point | float) -> bool:
        """Stand, and look at a peer, at a point, or so many degrees clockwise from north.

        False: it is not known where the peer is, and nothing was done.
        """
        return self.walking.face(target)

    def stand(self) -> None:
        """Stop walking, and stand still."""
        self.walking.stand()

    def emote(
        self,
        urn: str,
        *,
        stop: bool = False,
        duration: float | None = None,
        mask: int | None = None,
        to: Addressees = EVERYONE,
        else_everybody: bool = False,
    ) -> None:
        """Play an emote, or stop it: one of Emotes, a base emote's name ("wave"), a URN; see ``RoomSession.emote``."""
        session, now = self.driver.begin()
        session.emote(urn, stop=stop, duration=duration, mask=mask, to=to, else_everybody=else_everybody, now=now)
        self.driver.after()

    def announce_profile(self, version: int, *, to: Addressees = EVERYONE) -> None:
        """Tell the version of our profile."""
        session, now = self.driver.begin()
        session.announce_profile(version, to=to, now=now)
        self.driver.after()

    def offer_profile(self, version: int, serialized: str, *, base_url: str = "") -> None:
        """Announce a profile and answer those who ask for it: its JSON, and where its content is."""
        session, now = self.driver.begin()
        session.offer_profile(version, serialized, base_url=base_url, now=now)
        self.driver.after()

    def request_profile(self, who: Who, version: int = 0) -> bool:
        """Ask a peer for its profile: see ``RoomSession.request_profile``."""
        session, now = self.driver.begin()
        asked = session.request_profile(who, version, now=now)
        self.driver.after()
        return asked

    def profile(self, who: Who) -> Profile | None:
        """The profile that a peer sent; None: none, or it was forgotten."""
        return self.driver.session.profile(who)

    def react(
        self, emoji_index: int, *, count: int = 1, to: Addressees = EVERYONE, else_everybody: bool = False
    ) -> None:
        """React with an emoji, in the world."""
        session, now = self.driver.begin()
        session.react(emoji_index, count=count, to=to, else_everybody=else_everybody, now=now)
        self.driver.after()

    def react_to(
        self,
        message_id: str,
        emoji_index: int,
        *,
        remove: bool = False,
        to: Addressees = EVERYONE,
        else_everybody: bool = False,
    ) -> None:
        """React to a chat message (``ChatReceived.message_id``), or take it back."""
        session, now = self.driver.begin()
        session.react_to(message_id, emoji_index, remove=remove, to=to, else_everybody=else_everybody, now=now)
        self.driver.after()

    def scene_message(self, scene_id: str, data: bytes, *, to: Addressees = EVERYONE) -> None:
        """Send a scene's message."""
        session, now = self.driver.begin()
        session.scene_message(scene_id, data, to=to, now=now)
        self.driver.after()

    def send_nowait(
        self, packet: rfc4.Packet, *, to: Addressees = EVERYONE, reliable: bool | None = None, topic: str = ""
    ) -> None:
        """Send any packet; ``reliable=None``: as the explorers do for its kind."""
        session, now = self.driver.begin()
        session.send(packet, to=to, reliable=reliable, topic=topic, now=now)
        self.driver.after()

    def send_bytes(self, data: bytes, *, to: Addressees = EVERYONE, reliable: bool = True, topic: str = "") -> None:
        """Send bytes as they are."""
        session, now = self.driver.begin()
        session.send_bytes(data, to=to, reliable=reliable, topic=topic, now=now)
        self.driver.after()

    def subscribe(self, track: Track | str) -> bool:
        """Receive a track, whatever the policy said; TrackSubscribed follows.  False: it is gone.

        PermissionMissing: the token does not grant it; NotInARoom: no room is open.
        """
        return self._subscribe(track, wanted=True)

    def unsubscribe(self, track: Track | str) -> bool:
        """Stop receiving a track; TrackUnsubscribed follows.  False: it is gone."""
        return self._subscribe(track, wanted=False)

    def _subscribe(self, track: Track | str, *, wanted: bool) -> bool:
        session, now = self.driver.begin()
        known = session.subscribe(track, wanted=wanted, now=now)
        self.driver.after()
        return known

    # --- in a realm

    def enter_scene(self, scene_id: str, parcel: tuple[int, int]) -> None:
        """Be in this scene's room too, instead of the last one's; see ``WorldSession.enter_scene``."""
        realm, now = self._realm("enter_scene")
        realm.enter_scene(scene_id, parcel, now=now)
        self.driver.after()

    def leave_scene(self, *, drain: float | None = None) -> None:
        """Be in no scene's room any more."""
        realm, now = self._realm("leave_scene")
        realm.leave_scene(drain=drain, now=now)
        self.driver.after()

    def set_position(self, position: tuple[float, float, float]) -> None:
        """Be somewhere for the island service, in metres, without telling the rooms: for who only watches."""
        realm, now = self._realm("set_position")
        realm.set_position(position, now=now)
        self.walking.moved(position, (0.0, 0.0, 0.0), None)
        self.driver.after()

    def set_desired_room(self, island: str | None) -> None:
        """Say which island we would rather be on, from now on; None: any.  See ``WorldSession.set_desired_room``."""
        realm, now = self._realm("set_desired_room")
        realm.set_desired_room(island, now=now)
        self.driver.after()

    def _realm(self, what: str) -> tuple[WorldSession, float]:
        _, now = self.driver.begin()
        if self.driver.realm is None:
            msg = f"{what}() is for a realm: this connection is one room"
            raise LocalProtocolError(msg)
        return self.driver.realm, now
