"""Leaving where the server does not hear us, and what makes it quick."""

from __future__ import annotations

import pytest
from rigs.signals.session import LINK, SignalRig, TwoRig, packet

from dcl_comms_core.codec import decode_message
from dcl_comms_core.commands import CloseLink, CloseSocket, OpenSocket
from dcl_comms_core.inputs import LinkClosed, LinkRef
from dcl_comms_core.proto import livekit
from dcl_comms_core.states import CloseReason, Timer
from dcl_comms_core.states.livekit import SignalState

S = SignalState
OVER = [LinkClosed(link=LINK, reason=CloseReason.CLIENT)]


def taken_back(rig: SignalRig) -> SignalRig:
    return rig.connect().say(reconnect=livekit.ReconnectResponse())


def leave_said(rig: SignalRig) -> bool:
    return any(request.leave is not None for request in rig.requests())


# --- the server does not hear us


@pytest.mark.parametrize("when", ["before the next attempt", "in it", "before its answer"])
def test_leaving_while_the_socket_is_lost_calls_once_more_to_say_so(when: str) -> None:
    rig = SignalRig().opened().hang_up()
    if when != "before the next attempt":
        rig.pass_time(0.6)
        assert [one.link for one in rig.take(OpenSocket)] == [rig.socket]
    if when == "before its answer":
        rig.connect()
    rig.do(CloseLink(link=LINK))
    assert rig.state is S.LEAVING
    dialed = rig.take(OpenSocket)
    assert len(dialed) == (when == "before the next attempt")
    assert not rig.told(LinkClosed)
    if when != "before its answer":
        rig.connect()
    assert not leave_said(rig)
    rig.say(reconnect=livekit.ReconnectResponse())
    assert leave_said(rig)
    rig.say(leave=livekit.LeaveRequest())
    assert rig.told(LinkClosed) == OVER


@pytest.mark.parametrize("answer", ["silence", "refused", "gone", "it does not know us"])
def test_it_is_called_once_and_not_for_long(answer: str) -> None:
    rig = SignalRig().opened().hang_up().do(CloseLink(link=LINK, drain=0.0))
    began = rig.now
    if answer == "silence":
        rig.pass_time(1.9)
        assert not rig.told(LinkClosed)
        rig.pass_time(0.1)
        assert [type(one) for one in rig.commands if isinstance(one, CloseSocket)] == [CloseSocket]
    elif answer == "it does not know us":
        rig.connect().say(leave=livekit.LeaveRequest(reason=livekit.DisconnectReason.STATE_MISMATCH))
    else:
        rig.hang_up(status=401 if answer == "refused" else 0).pass_time(0.0)
    assert rig.told(LinkClosed) == OVER
    assert rig.now - began <= 2.0
    assert rig.session.timers == {}


@pytest.mark.parametrize("how", ["socket", "silence"])
def test_a_socket_that_is_lost_while_we_leave_is_called_again(how: str) -> None:
    rig = SignalRig().opened().send(1).do(CloseLink(link=LINK, drain=30.0))
    rig.commands.clear()
    if how == "socket":
        rig.hang_up()
    else:
        rig.pass_time(15.0)
    assert len([one for one in rig.commands if isinstance(one, OpenSocket)]) == 1
    taken_back(rig)
    assert not leave_said(rig)
    assert Timer.STAGE not in rig.session.timers
    rig.peer.held = {}
    rig.happen()
    assert leave_said(rig)
    rig.hang_up()
    assert rig.told(LinkClosed) == OVER


def test_datagrams_go_on_where_it_can_not_be_called() -> None:
    rig = SignalRig().opened().send(1).do(CloseLink(link=LINK, drain=30.0)).hang_up().hang_up()
    assert rig.state is S.LEAVING
    rig.peer.held = {}
    rig.happen()
    assert rig.told(LinkClosed) == OVER


def test_a_socket_that_is_lost_before_the_room_is_open_is_not_called_again() -> None:
    rig = SignalRig().joined().do(CloseLink(link=LINK)).hang_up()
    assert rig.told(LinkClosed) == OVER


def test_ice_begins_anew_for_what_is_still_to_go_out() -> None:
    rig = SignalRig().opened().send(1).hang_up().do(CloseLink(link=LINK, drain=30.0))
    taken_back(rig)
    assert [call[2] for call in rig.peer.calls if call[0] == "offer"] == [False, True]


def test_who_gives_up_before_the_server_let_us_in_says_so() -> None:
    rig = SignalRig().begin().connect().do(CloseLink(link=LINK))
    assert leave_said(rig)
    assert rig.told(LinkClosed) == OVER


@pytest.mark.parametrize("said", [False, True])
def test_abandoning_in_the_midst_of_leaving_says_so_once(said: bool) -> None:
    rig = SignalRig().opened().send(1).do(CloseLink(link=LINK, drain=30.0))
    if said:
        rig.pass_time(0.0)
        rig.peer.held = {}
        rig.happen()
        assert leave_said(rig)
    rig.session.abandon(now=rig.now)
    assert leave_said(rig.turn()) is not said


# --- acknowledgements


@pytest.mark.parametrize("make", [SignalRig, TwoRig])
def test_what_is_on_its_way_is_acknowledged_sooner_by_a_packet_for_ourselves(make: type[SignalRig]) -> None:
    rig = make().opened()
    rig.send(1).send(2)
    rig.do(CloseLink(link=LINK, drain=30.0))
    (*_, (channel, message)) = rig.peer.sent
    nothing = decode_message(livekit.DataPacket, message)
    assert (channel, nothing.kind, nothing.destination_identities) == (1, livekit.DataKind.LOSSY, ["me"])
    assert nothing.user == livekit.UserPacket()
    assert len(rig.peer.sent) == 3
    rig.happen().pass_time(1.0)
    assert len(rig.peer.sent) == 3
    rig.peer.held = {0: 0, 1: len(message)}
    rig.happen()
    assert leave_said(rig)


def test_it_goes_out_behind_all_others() -> None:
    rig = SignalRig().opened()
    rig.peer.room = 40
    rig.send(1, b"x" * 20).send(2, b"y" * 20).do(CloseLink(link=LINK, drain=30.0))
    assert [channel for channel, _ in rig.peer.sent] == [0]
    rig.peer.held, rig.peer.room = {}, 1_000
    rig.happen()
    assert [channel for channel, _ in rig.peer.sent] == [0, 0, 1]


def test_where_the_other_channel_is_closed_there_is_none() -> None:
    rig = SignalRig().opened().send(1).happen(("close", 1))
    rig.do(CloseLink(link=LINK, drain=30.0))
    assert [channel for channel, _ in rig.peer.sent] == [0]
    rig.message(packet(b"meanwhile"))
    assert rig.state is S.LEAVING
    assert isinstance(rig.socket, LinkRef)
