"""What was acknowledged and may not have arrived: counted from the last sign of life on, and told."""

from __future__ import annotations

import pytest
from rigs.core.room import STEADY, Rig, at
from rigs.core.sockets import RoomRig

from dcl_comms_core import (
    Backoff,
    CloseReason,
    LinkReconnected,
    LinkSilent,
    Reconnected,
    RoomClosed,
    RoomState,
    SendsAcknowledged,
    SocketClosed,
    WarningCode,
)
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.room.outgoing.confirmed import Confirmed


def say(rig: Rig, count: int = 1, *, reliable: bool = True) -> None:
    """Send, and the transport takes it."""
    rig.send(count, reliable=reliable)
    rig.tell(SendsAcknowledged, tokens=tuple(command.token for command in rig.sent()))


def one_a_second(rig: Rig, seconds: int) -> None:
    for _ in range(seconds):
        say(rig)
        rig.pass_time(1.0)


def doubts(rig: Rig | RoomRig) -> list[tuple[str, int]]:
    """The events since the last look, and the counts of those that say how much may be lost."""
    return [
        (type(event).__name__, event.count if isinstance(event, WarningEvent) else 0)
        for event in rig.take_events(Reconnected, RoomClosed, WarningEvent)
        if not isinstance(event, WarningEvent) or event.code is WarningCode.SENDS_MAY_BE_LOST
    ]


def test_what_was_acknowledged_since_the_last_sign_of_life_is_told_once_we_are_back():
    rig = Rig().join()
    one_a_second(rig, 20)
    rig.fall_silent()
    rig.tell(LinkSilent, seconds=12.5)
    assert doubts(rig) == []
    rig.tell(LinkReconnected)
    # 12 went in these 12.5 s, and one in the second before, whose arrival that last sign need not have confirmed.
    assert doubts(rig) == [("Reconnected", 0), ("Warning", 13)]
    assert rig.session.counters["may_be_lost"] == 13
    rig.fall_silent()
    rig.tell(LinkSilent, seconds=30.0)
    rig.tell(LinkReconnected)
    assert doubts(rig) == [("Reconnected", 0)]


def test_where_the_silence_is_not_known_it_is_what_half_a_minute_took():
    rig = Rig().join()
    one_a_second(rig, 45)
    rig.fall_silent()
    rig.tell(LinkReconnected)
    assert doubts(rig) == [("Reconnected", 0), ("Warning", 30)]


def test_a_server_that_was_heard_just_now_has_what_went_before():
    rig = Rig().join()
    one_a_second(rig, 5)
    rig.fall_silent()
    rig.tell(LinkSilent, seconds=0.0)
    rig.tell(LinkReconnected)
    assert doubts(rig) == [("Reconnected", 0), ("Warning", 1)]


def test_lossy_packets_and_those_that_failed_are_not_counted():
    rig = Rig().join()
    say(rig, 3, reliable=False)
    rig.send(1)
    rig.acknowledge(*(command.token for command in rig.sent()), error="no")
    rig.fall_silent()
    rig.tell(LinkReconnected)
    assert doubts(rig) == [("Reconnected", 0)]


def test_who_joins_anew_is_told_too():
    rig = at(RoomState.OPEN)
    say(rig, 4)
    rig.fall_silent()
    rig.tell(LinkSilent, seconds=2.0)
    rig.lose()
    rig.timer()
    rig.join()
    assert doubts(rig) == [("Reconnected", 0), ("Warning", 4)]


def test_and_who_does_not_come_back():
    rig = Rig(reconnect=STEADY).join()
    say(rig, 4)
    rig.fall_silent()
    rig.lose(CloseReason.REMOVED)
    assert doubts(rig) == [("Warning", 4), ("RoomClosed", 0)]


def test_silence_without_a_loss_says_nothing():
    rig = Rig().join()
    say(rig)
    rig.tell(LinkSilent, seconds=9.0)
    rig.close()
    rig.lose()
    assert doubts(rig) == [("RoomClosed", 0)]


# --- in a ws-room, where the socket takes what it is given


def talk(rig: RoomRig, seconds: int) -> None:
    """One message a second, which the socket takes."""
    for _ in range(seconds):
        before = len(rig.tokens)
        rig.session.chat("hi", now=rig.now)
        rig.drain()
        rig.tell(SendsAcknowledged(link=rig.link, tokens=tuple(rig.tokens[before:])))
        rig.wait(1.0)


def in_a_ws_room(*, reconnect: Backoff | None = None) -> RoomRig:
    rig = RoomRig(reconnect=reconnect)
    rig.enter()
    talk(rig, 70)
    rig.take_events()
    return rig


@pytest.mark.parametrize(("silent", "count"), [(60.0, 61), (12.5, 13), (0.0, 1), (None, 31)])
def test_a_socket_that_is_lost_may_have_lost_what_it_took_since_the_last_sign_of_life(
    silent: float | None, count: int
) -> None:
    rig = in_a_ws_room(reconnect=STEADY)
    rig.tell(SocketClosed(link=rig.link, reason=CloseReason.TIMEOUT, silent=silent))
    assert doubts(rig) == []
    rig.wait(1.0)
    rig.shake_hands()
    assert doubts(rig) == [("Reconnected", 0), ("Warning", count)]
    assert rig.session.counters["may_be_lost"] == count


def test_who_does_not_come_back_into_a_ws_room_is_told_at_the_end() -> None:
    rig = in_a_ws_room()
    rig.tell(SocketClosed(link=rig.link, reason=CloseReason.NETWORK, silent=5.0))
    assert doubts(rig) == [("Warning", 6), ("RoomClosed", 0)]


def test_a_socket_that_we_closed_lost_nothing() -> None:
    rig = in_a_ws_room(reconnect=STEADY)
    rig.session.close(now=rig.now)
    rig.tell(SocketClosed(link=rig.link, reason=CloseReason.CLIENT, silent=5.0))
    assert doubts(rig) == [("RoomClosed", 0)]


def test_one_that_breaks_while_we_leave_may_have() -> None:
    rig = in_a_ws_room(reconnect=STEADY)
    rig.session.close(now=rig.now)
    rig.tell(SocketClosed(link=rig.link, reason=CloseReason.NETWORK, silent=5.0))
    assert doubts(rig) == [("Warning", 6), ("RoomClosed", 0)]


@pytest.mark.parametrize("seconds", [1.0, 40.0, 4000.0])
def test_however_long_it_goes_on_no_more_than_half_a_minute_is_kept(seconds):
    confirmed = Confirmed()
    for step in range(1000):
        confirmed.add(2, step * seconds / 1000)
    confirmed.cut(seconds)
    kept = [2 * sum(step * seconds / 1000 >= seconds - span for step in range(1000)) for span in (30.0, 30.25)]
    assert kept[0] <= confirmed.take() <= kept[1]  # they are counted by quarters of a second
    assert confirmed.take() == 0
