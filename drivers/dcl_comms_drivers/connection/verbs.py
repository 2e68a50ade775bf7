"""What an application says in a room, the same for every driver: each verb acts at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.peers import EVERYONE

if TYPE_CHECKING:
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.peers import Addressees, PeerId
    from dcl_comms_core.proto import rfc4
    from dcl_comms_core.room.incoming.profiles import Profile
    from dcl_comms_core.room.session import RoomSession
    from dcl_comms_core.world.session import WorldSession
    from dcl_comms_drivers.loops.host import Host

__all__ = ["Verbs"]


class Verbs(ABC):
    """The verbs of a connection."""

    _session: RoomSession | WorldSession
    _realm: WorldSession | None
    """The session, where it is a realm's."""
    _host: Host

    @abstractmethod
    def _after(self) -> None:
        """An intent was used: carry it out now."""

    def chat(self, text: str, to: Addressees = EVERYONE, *, channel: str = "", stamp: float | None = None) -> float:
        """Write to everybody, privately to each of the peers named, or to a community; see ``RoomSession.chat``."""
        stamp = self._session.chat(text, to=to, channel=channel, stamp=stamp, now=self._host.now())
        self._after()
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
        self._session.move(
            position, velocity=velocity, yaw=yaw, grounded=grounded, instant=instant, to=to, now=self._host.now()
        )
        self._after()

    def emote(self, urn: str, *, stop: bool = False, to: Addressees = EVERYONE) -> None:
        """Play an emote by its URN, or stop it."""
        self._session.emote(urn, stop=stop, to=to, now=self._host.now())
        self._after()

    def announce_profile(self, version: int, *, to: Addressees = EVERYONE) -> None:
        """Tell the version of our profile."""
        self._session.announce_profile(version, to=to, now=self._host.now())
        self._after()

    def offer_profile(self, version: int, serialized: str, *, base_url: str = "") -> None:
        """Announce a profile and answer those who ask for it: its JSON, and where its content is."""
        self._session.offer_profile(version, serialized, base_url=base_url, now=self._host.now())
        self._after()

    def request_profile(self, who: PeerId, version: int = 0) -> bool:
        """Ask a peer for its profile: see ``RoomSession.request_profile``."""
        asked = self._session.request_profile(who, version, now=self._host.now())
        self._after()
        return asked

    def profile(self, who: PeerId) -> Profile | None:
        """The profile that a peer sent; None: none, or it was forgotten."""
        return self._session.profile(who)

    def react(self, emoji_index: int, *, count: int = 1, to: Addressees = EVERYONE) -> None:
        """React with an emoji, in the world."""
        self._session.react(emoji_index, count=count, to=to, now=self._host.now())
        self._after()

    def react_to(self, message_id: str, emoji_index: int, *, remove: bool = False) -> None:
        """React to a chat message (``ChatReceived.message_id``), or take it back."""
        self._session.react_to(message_id, emoji_index, remove=remove, now=self._host.now())
        self._after()

    def scene_message(self, scene_id: str, data: bytes, *, to: Addressees = EVERYONE) -> None:
        """Send a scene's message."""
        self._session.scene_message(scene_id, data, to=to, now=self._host.now())
        self._after()

    def send_nowait(
        self, packet: rfc4.Packet, *, to: Addressees = EVERYONE, reliable: bool | None = None, topic: str = ""
    ) -> None:
        """Send any packet; ``reliable=None``: as the explorers do for its kind."""
        self._session.send(packet, to=to, reliable=reliable, topic=topic, now=self._host.now())
        self._after()

    def send_bytes(self, data: bytes, *, to: Addressees = EVERYONE, reliable: bool = True, topic: str = "") -> None:
        """Send bytes as they are."""
        self._session.send_bytes(data, to=to, reliable=reliable, topic=topic, now=self._host.now())
        self._after()

    def subscribe(self, track: Track | str) -> bool:
        """Receive a track, whatever the policy said; TrackSubscribed follows.  False: it is gone.

        PermissionMissing: the token does not grant it; LocalProtocolError: the room is not open.
        """
        return self._subscribe(track, wanted=True)

    def unsubscribe(self, track: Track | str) -> bool:
        """Stop receiving a track; TrackUnsubscribed follows.  False: it is gone."""
        return self._subscribe(track, wanted=False)

    def _subscribe(self, track: Track | str, *, wanted: bool) -> bool:
        known = self._session.subscribe(track, wanted=wanted, now=self._host.now())
        self._after()
        return known

    # --- in a realm

    def enter_scene(self, scene_id: str, parcel: tuple[int, int]) -> None:
        """Be in this scene's room too, instead of the last one's; see ``WorldSession.enter_scene``."""
        self._world("enter_scene").enter_scene(scene_id, parcel, now=self._host.now())
        self._after()

    def leave_scene(self, *, drain: float | None = None) -> None:
        """Be in no scene's room any more."""
        self._world("leave_scene").leave_scene(drain=drain, now=self._host.now())
        self._after()

    def set_position(self, position: tuple[float, float, float]) -> None:
        """Be somewhere for the island service, in metres, without telling the rooms: for who only watches."""
        self._world("set_position").set_position(position, now=self._host.now())
        self._after()

    def _world(self, what: str) -> WorldSession:
        if self._realm is None:
            msg = f"{what}() is for a realm: this connection is one room"
            raise LocalProtocolError(msg)
        return self._realm
