"""What is said while no room is open: it waits so long and so much, or NotInARoom; where we are is remembered."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.room import ME, STEADY, Rig, at, wire

from dcl_comms_core import (
    Away,
    CloseReason,
    CommsError,
    Limits,
    LinkClosed,
    LinkReconnected,
    LinkReconnecting,
    LocalProtocolError,
    NotInARoom,
    ProfileRequest,
    RoomState,
    SendQueueFull,
    Timer,
    WarningCode,
    decode,
)
from dcl_comms_core.events import Warning as WarningEvent

LOOKING = [RoomState.NEW, RoomState.CONNECTING, RoomState.RECONNECTING, RoomState.WAITING]
SHORT = Limits(waiting_seconds=10.0)


def said(rig: Rig) -> list[str]:
    packets = [decode(command.data) for command in rig.sent()]
    return [packet.chat.message for packet in packets if packet.chat is not None]


def let_go(rig: Rig) -> list[tuple[str, int]]:
    codes = {WarningCode.SENDS_EXPIRED, WarningCode.SENDS_DROPPED}
    events = [event for event in rig.take_events() if isinstance(event, WarningEvent)]
    return [(event.code.value, event.count) for event in events if event.code in codes]


def back(rig: Rig) -> None:
    """Into the room, whatever keeps us from it."""
    if rig.session.state is RoomState.RECONNECTING:
        rig.tell(LinkReconnected)
        return
    if rig.session.state is RoomState.WAITING:
        rig.timer()
    rig.join()


def tell(rig: Rig, now: float, kind: Any, /, **fields: Any) -> None:
    rig.now = now
    rig.tell(kind, **fields)


@pytest.mark.parametrize("state", LOOKING)
def test_what_is_said_meanwhile_goes_out_in_order_once_there_is_a_room(state: RoomState) -> None:
    rig = at(state)
    rig.sent()
    rig.session.chat("one")
    rig.session.emote("wave")
    rig.session.chat("two")
    assert rig.sent() == []
    assert rig.session.waiting == 3
    back(rig)
    assert said(rig) == ["one", "two"]
    assert Timer.WAITING not in rig.session.timers


@pytest.mark.parametrize("state", LOOKING)
def test_what_waits_for_too_long_is_let_go_and_told_once(state: RoomState) -> None:
    rig = at(state, limits=Limits(waiting_seconds=0.5))
    rig.take_events()
    session, begun = rig.session, rig.now
    for number in range(3):
        session.chat(str(number), now=begun + number / 10)
    assert session.timers[Timer.WAITING] == begun + 0.5
    session.handle_timeout(begun + 0.5)
    assert let_go(rig) == [("sends expired", 1)]
    session.handle_timeout(begun + 0.75)
    assert let_go(rig) == []
    assert (session.counters["expired"], session.waiting, session.waiting_bytes) == (3, 0, 0)
    assert Timer.WAITING not in session.timers


def test_another_outage_is_told_again() -> None:
    rig = at(RoomState.OPEN, limits=SHORT)
    for begun in (100.0, 200.0):
        tell(rig, begun, LinkReconnecting)
        rig.session.chat("x")
        rig.session.handle_timeout(begun + 10.0)
        assert let_go(rig) == [("sends expired", 1)]
        tell(rig, begun + 11.0, LinkReconnected)
    assert said(rig) == []


def test_what_had_waited_for_credit_waits_from_the_beginning_of_the_outage() -> None:
    rig = at(RoomState.OPEN, limits=Limits(waiting_seconds=10.0, in_flight=1))
    for text in ("in flight", "one", "two"):
        rig.session.chat(text, now=0.0)
    rig.session.send_bytes(b"", reliable=False, now=0.0)
    rig.take_events()
    tell(rig, 60.0, LinkReconnecting)
    assert rig.session.timers[Timer.WAITING] == 70.0
    rig.session.handle_timeout(69.0)
    assert rig.session.waiting == 3
    rig.session.handle_timeout(70.0)
    assert let_go(rig) == [("sends expired", 3)]


def test_what_was_let_go_and_what_is_dropped_at_the_end_is_told_once() -> None:
    rig = at(RoomState.WAITING, limits=Limits(waiting_seconds=0.5))
    rig.session.chat("one", now=0.0)
    rig.session.chat("two", now=0.4)
    rig.session.handle_timeout(0.5)
    rig.session.close()
    assert let_go(rig) == [("sends expired", 1)]
    assert (rig.session.counters["expired"], rig.session.counters["dropped"]) == (1, 1)


def test_so_many_and_so_much_may_wait_for_a_room() -> None:
    rig = at(RoomState.WAITING, limits=Limits(waiting_verbs=2))
    rig.session.chat("1")
    rig.session.chat("2")
    with pytest.raises(SendQueueFull, match=r"2 packets wait already \(Limits.waiting_verbs\)"):
        rig.session.chat("3")
    few = at(RoomState.WAITING, limits=Limits(waiting_bytes=30))
    with pytest.raises(SendQueueFull, match="waiting_bytes"):
        few.session.chat("x" * 30)
    there = at(RoomState.OPEN, limits=Limits(waiting_verbs=0))
    there.session.chat("goes")
    assert said(there) == ["goes"]


@pytest.mark.parametrize("state", LOOKING)
def test_who_does_not_wait_hears_so_and_moves_all_the_same(state: RoomState) -> None:
    rig = at(state, away=Away.RAISE)
    session = rig.session
    for verb in (
        lambda: session.chat("x"),
        lambda: session.emote("wave"),
        lambda: session.react(1),
        lambda: session.scene_message("a", b"\x02x"),
        lambda: session.send_bytes(b""),
        session.check_sending,
        lambda: session.subscribe("TR_1") if state is not RoomState.RECONNECTING else session.chat("x"),
    ):
        with pytest.raises(NotInARoom, match=state.value) as caught:
            verb()
        assert not isinstance(caught.value, LocalProtocolError)
    session.move((1.0, 0.0, 2.0))
    session.announce_profile(4)
    rig.sent()
    back(rig)
    packets = [decode(command.data) for command in rig.sent()]
    assert [packet.movement.position_z for packet in packets if packet.movement is not None] == [2.0]
    versions = [packet.profile_version.profile_version for packet in packets if packet.profile_version is not None]
    assert versions == [4]


def test_who_does_not_wait_hears_why_and_until_when() -> None:
    rig = at(RoomState.OPEN, away=Away.RAISE)
    tell(rig, 5.0, LinkReconnecting)
    with pytest.raises(NotInARoom) as caught:
        rig.session.chat("x")
    assert (caught.value.reason, caught.value.until) == (CloseReason.NETWORK, 185.0)
    tell(rig, 6.0, LinkClosed, reason=CloseReason.SERVER_SHUTDOWN)
    with pytest.raises(NotInARoom, match="the room is waiting: the server is shutting down") as caught:
        rig.session.chat("x")
    assert caught.value.reason is CloseReason.SERVER_SHUTDOWN
    assert caught.value.until == rig.session.timers[Timer.RETRY]
    assert at(RoomState.OPEN, away=Away.RAISE).session.chat("x") is not None
    new = Rig(away=Away.RAISE)
    with pytest.raises(NotInARoom) as caught:
        new.session.chat("x")
    assert (caught.value.reason, caught.value.until) == (None, None)


def test_what_goes_out_by_itself_is_skipped_while_we_are_away() -> None:
    rig = Rig(reconnect=STEADY, away=Away.RAISE).join("alice")
    rig.session.offer_profile(3, "{}")
    rig.tell(LinkReconnecting)
    before = rig.session.counters["skipped"]
    rig.data(wire(profile_request=ProfileRequest(address=ME, profile_version=3)))
    assert rig.session.counters["skipped"] == before + 1


@pytest.mark.parametrize("state", [RoomState.CLOSING, RoomState.CLOSED])
def test_once_it_is_over_nothing_waits(state: RoomState) -> None:
    session = at(state).session
    for verb in (
        lambda: session.chat("x"),
        lambda: session.move((0.0, 0.0, 0.0)),
        lambda: session.announce_profile(1),
        lambda: session.subscribe("TR_1"),
    ):
        with pytest.raises(LocalProtocolError):
            verb()


def test_a_version_that_changes_while_the_link_is_repaired_is_told_when_it_is_back() -> None:
    rig = Rig(profile_version=1).join()
    tell(rig, 1.0, LinkReconnecting)
    bad: Any = -1
    with pytest.raises(CommsError):
        rig.session.announce_profile(bad)
    rig.session.announce_profile(2)
    rig.sent()
    tell(rig, 2.0, LinkReconnected)
    packets = [decode(command.data) for command in rig.sent()]
    assert [packet.profile_version.profile_version for packet in packets if packet.profile_version] == [2]
    tell(rig, 3.0, LinkReconnecting)
    tell(rig, 4.0, LinkReconnected)
    assert rig.sent() == []
