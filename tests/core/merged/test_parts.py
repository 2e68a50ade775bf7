"""Parts of a merged view by themselves: its maker, the fan-out, what all are told alike, what is news, the handover."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rigs.core.children import opened, table
from rigs.core.room import livekit
from rigs.core.sockets import GUARD, ME, WS_ROOM

from dcl_comms_core import (
    LocalProtocolError,
    Movement,
    OfflineAdapter,
    PeerId,
    PeerJoined,
    PeerLeft,
    Place,
    RoomClosed,
    RoomRole,
    RoomState,
    SendData,
    SignatureNeeded,
    SimulatorAdapter,
    WsRoomSession,
    decode,
)
from dcl_comms_core.limits import Limits
from dcl_comms_core.merged.children import Child, Children
from dcl_comms_core.merged.fan_out import FanOut
from dcl_comms_core.merged.handover import Handover, Wish
from dcl_comms_core.merged.ignoring import Ignoring
from dcl_comms_core.merged.maker import RoomMaker
from dcl_comms_core.merged.news import News
from dcl_comms_core.merged.presence import Presence
from dcl_comms_core.merged.roles import AVATAR
from dcl_comms_core.merged.showing import Showing
from dcl_comms_core.merged.signatures import Requests
from dcl_comms_core.room.options import RoomOptions
from dcl_comms_core.room.output import Output
from dcl_comms_core.states import RETRY, CloseReason
from dcl_comms_core.tools.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable


class Desk:
    """What parts share, and the first two of them."""

    def __init__(self, *children: Child, **showing: object) -> None:
        self.clock = Clock()
        self.output = Output("", self.clock)
        self.presence = Presence(Limits())
        self.children = table(*children)
        self.fan_out = FanOut(self.children, self.presence, self.output, self.clock)
        given = {"version": None, "silent": False, **showing}
        self.showing = Showing(self.children, self.fan_out, self.clock, **given)  # type: ignore[arg-type]
        rooms = {child.link: child.session for child in children}
        self.ignoring = Ignoring(rooms, self.clock, Limits())

    def news(self, over: Callable[[Child], None], clock: Clock | None = None) -> News:
        """What there is to tell of these parts."""
        asked = Requests[WsRoomSession](1)
        return News(self.output, self.presence, asked, ignoring=self.ignoring, clock=clock, over=over)

    def sent(self, child: Child) -> list[object]:
        """The packets that a room would send."""
        return [decode(command.data) for command in child.session.commands() if isinstance(command, SendData)]


def test_a_room_is_made_with_all_options_of_its_view_and_entropy_of_its_own() -> None:
    options = RoomOptions(entropy=5, limits=Limits(peers=3), silent=True)
    maker = RoomMaker(options, ME, GUARD)
    room = maker.make(SimulatorAdapter("x"), "scene", 4, None, 7, silent=False)
    assert (room.room, room.link.link, room.limits.peers) == ("scene", 4, 3)
    assert isinstance(maker.make(WS_ROOM, "island", 1, Place.PUBLIC, None, silent=False), WsRoomSession)
    with pytest.raises(LocalProtocolError, match="not OfflineAdapter"):
        maker.check(OfflineAdapter("offline"))
    with pytest.raises(LocalProtocolError, match="wants a signature"):
        RoomMaker(options, None, GUARD).check(WS_ROOM)


def test_packets_go_to_the_rooms_of_the_roles_that_they_are_for() -> None:
    island, scene = opened(1), opened(2, RoomRole.SCENE)
    desk = Desk(island, scene)
    desk.fan_out.put([(b"\x00", None, "")], reliable=True)
    assert [len(child.session.commands()) for child in (island, scene)] == [1, 1]
    assert [child.link for child in desk.fan_out.targets(frozenset({RoomRole.SCENE}))] == [2]
    with pytest.raises(LocalProtocolError, match=r"open \(other\)"):
        desk.fan_out.targets(frozenset({RoomRole.OTHER}))
    desk.fan_out.check(AVATAR)


def test_where_we_are_is_told_at_once_and_a_room_to_come_is_told_the_version_once() -> None:
    island, scene = opened(1), opened(2, RoomRole.SCENE)
    desk = Desk(island, scene, version=3)
    desk.showing.look(island)
    desk.showing.look(island)
    assert [packet.profile_version.profile_version for packet in desk.sent(island)] == [3]  # type: ignore[attr-defined]
    assert desk.showing.due is None
    desk.showing.walk(Movement(position_x=4.0))
    assert [packet.movement.position_x for packet in desk.sent(island)] == [4.0]  # type: ignore[attr-defined]
    assert desk.showing.due is not None
    desk.showing.announce(8)
    assert desk.showing.version == 8
    assert (island.version, scene.version) == (8, 8)


def test_who_is_silent_announces_once_and_rooms_to_come_are_told_nothing() -> None:
    desk = Desk(opened(1), silent=True)
    desk.showing.announce(8)
    assert desk.showing.version is None


def test_a_peer_that_two_rooms_have_comes_and_goes_once_and_a_room_that_ends_takes_its_own_along() -> None:
    one, two = opened(1), opened(2, RoomRole.SCENE)
    desk, gone = Desk(one, two), []
    news = desk.news(gone.append, desk.clock)
    alice, bob = PeerId("alice"), PeerId("bob")
    for child in (one, two):
        news.tell(child, [PeerJoined(at=1.0, room="r", sender=alice)])
    news.tell(two, [PeerJoined(at=1.0, room="r", sender=bob)])
    reason = CloseReason.NETWORK
    news.tell(two, [RoomClosed(at=2.0, room="r", reason=reason, retry=RETRY[reason])])
    assert gone == [two]
    assert [(type(event), getattr(event, "sender", None)) for event in desk.output.events] == [
        (PeerJoined, alice),
        (PeerJoined, bob),
        (PeerLeft, bob),
        (RoomClosed, None),
    ]


def test_only_a_session_that_takes_a_signature_gets_a_number_of_ours_for_it() -> None:
    desk = Desk()
    news = desk.news(lambda _child: None)
    asked = SignatureNeeded(at=1.0, room="r", payload="dcl-x", request=9)
    news.tell(opened(1), [asked])
    assert desk.output.events == [asked]


def test_a_change_of_rooms_waits_until_there_is_a_place() -> None:
    children, limits, left = Children(), Limits(rooms=1), []
    joined: list[Child] = []

    def join(wish: Wish, role: RoomRole) -> object:
        child = opened(len(joined) + 1, role)
        joined.append(child)
        children.add(child)
        return child.session

    handover = Handover(
        children,
        limits,
        join=join,  # type: ignore[arg-type]
        leave=lambda session, drain: left.append((session, drain)),
        call_off=lambda session: left.append((session, 0.0)),
    )
    handover.want(RoomRole.ISLAND, Wish(livekit(), None))
    handover.settle()
    handover.settle()
    handover.want(RoomRole.SCENE, Wish(SimulatorAdapter("s"), None))
    handover.settle()
    assert [child.role for child in joined] == [RoomRole.ISLAND]
    assert str(handover.goal(RoomRole.SCENE)) == "simulator:s"
    assert handover.held_up(RoomRole.SCENE, by=RoomRole.ISLAND)
    assert not handover.held_up(RoomRole.ISLAND, by=RoomRole.OTHER)
    handover.withdraw(RoomRole.OTHER, None)
    handover.withdraw(RoomRole.ISLAND, 1.0)
    assert left == [(joined[0].session, 1.0)]
    assert joined[0].session.state is RoomState.OPEN  # type: ignore[union-attr]
    children.remove(joined[0])
    handover.settle()
    assert [child.role for child in joined] == [RoomRole.ISLAND, RoomRole.SCENE]
    handover.forget()
    assert handover.goal(RoomRole.SCENE) is None
