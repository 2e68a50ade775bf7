"""The parts of a connection, each without the others: unread events and how they end; what turns a session."""

from __future__ import annotations

import pytest
from dcl_comms_drivers.connection.driver import Driver
from dcl_comms_drivers.connection.inbox import Inbox
from dcl_comms_drivers.connection.surroundings import Carried, Surroundings
from dcl_comms_drivers.settings import OnFull, Options

from dcl_comms_core import (
    CloseLink,
    CloseReason,
    LimitReached,
    Limits,
    LinkClosed,
    OpenLink,
    Retry,
    RoomClosed,
    RoomState,
    WorldClosed,
)
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.events import WarningCode


def note(number: int) -> WarningEvent:
    return WarningEvent(at=float(number), room="r", code=WarningCode.SILENT, text=str(number))


def closed(kind=RoomClosed, reason=CloseReason.NETWORK):
    return kind(at=9.0, room="r", reason=reason, retry=Retry.BACKOFF, detail="gone")


# --- the inbox


@pytest.mark.parametrize("last", [RoomClosed, WorldClosed])
def test_an_inbox_ends_with_the_event_that_is_its_last(last):
    inbox = Inbox(Limits(), OnFull.DROP_OLDEST, last)
    assert (inbox.put([note(1)]), inbox.end, inbox.failure) == (False, None, None)
    assert inbox.put([note(2), closed(last)])
    assert inbox.end == closed(last)
    assert (inbox.failure.reason, inbox.failure.retry, inbox.failure.detail) == (
        CloseReason.NETWORK,
        Retry.BACKOFF,
        "gone",
    )
    assert inbox.unread.take() == [note(1), note(2), closed(last)]


def test_a_room_of_a_realm_that_closes_is_not_the_realm_s_end():
    inbox = Inbox(Limits(), OnFull.DROP_OLDEST, WorldClosed)
    assert not inbox.put([closed()])
    assert inbox.end is None


def test_that_we_left_is_no_failure():
    inbox = Inbox(Limits(), OnFull.DROP_OLDEST, RoomClosed)
    assert inbox.put([closed(reason=CloseReason.CLIENT)])
    assert inbox.failure is None


def test_what_is_not_read_goes_and_is_counted():
    inbox = Inbox(Limits(event_queue=3), OnFull.DROP_OLDEST, RoomClosed)
    assert not inbox.put([note(number) for number in range(5)])
    assert (inbox.dropped, inbox.end, len(inbox.unread)) == (3, None, 3)
    notice, *rest = inbox.unread.take()
    assert isinstance(notice, LimitReached)
    assert rest == [note(3), note(4)]


def test_or_it_ends_everything_and_is_kept():
    inbox = Inbox(Limits(event_queue=3), OnFull.CLOSE, RoomClosed)
    # The session's own last one is not among them: somebody has to close it.
    assert not inbox.put([note(number) for number in range(4)])
    assert (inbox.end.reason, inbox.failure.reason) == (CloseReason.OVERFLOW, CloseReason.OVERFLOW)
    assert inbox.end.detail == "4 events were not read"
    assert inbox.unread.take() == [*map(note, range(4)), inbox.end]
    assert inbox.dropped == 0


# --- what turns a session


class Host:
    """A loop that is not running: it keeps what it is asked for."""

    def __init__(self):
        self.time = 5.0
        self.woken = []

    def now(self):
        return self.time

    def call_at(self, when, callback):
        self.due = when, callback

    def at_end(self, callback):
        self.ending = callback

    def wake(self, callback):
        self.woken.append(callback)


class Link:
    """A link that does nothing, or breaks."""

    name = "test"

    def __init__(self):
        self.commands = []
        self.inputs = []
        self.abandoned = 0
        self.error = None

    def execute(self, command, *, now):
        if self.error is not None:
            raise self.error
        self.commands.append(command)

    def drain(self, session, *, now, limit):
        while self.inputs:
            session.receive(self.inputs.pop(0), now=now)
        return False

    def deadline(self):
        return None

    def measure(self, then):
        self.then = then

    def hasten(self):
        self.hastened = True

    def abandon(self):
        self.abandoned += 1


class Here(Surroundings):
    def __init__(self, link):
        self.connecting = link

    def entropy(self):
        return 1

    def unix_now(self):
        return 1_800_000_000.0

    def carry(self, where, realm, options, host, *, wake, turn):
        self.wake, self.turn = wake, turn
        return Carried(self.connecting)


class Stand:
    """A driver on its own."""

    def __init__(self):
        self.host, self.link, self.told = Host(), Link(), []
        self.here = Here(self.link)
        self.driver = Driver(
            "simulator:parts?identity=me",
            self.host,
            Options.of({}),
            self.here,
            changed=lambda: self.told.append("changed"),
            progressed=lambda: self.told.append("progressed"),
        )


def test_a_driver_opens_its_session_once_it_is_started():
    stand = Stand()
    assert stand.link.commands == []
    stand.driver.start()
    assert [type(command) for command in stand.link.commands] == [OpenLink]
    assert stand.told == ["progressed"]
    assert (stand.driver.ended, stand.driver.over, stand.driver.failure) == (False, False, None)


def test_however_often_a_link_wakes_it_there_is_one_turn():
    stand = Stand()
    stand.driver.start()
    for _ in range(3):
        stand.here.wake()
    # Another turn that comes first, as when a socket has read something, does not ask for a second.
    stand.driver.turn()
    stand.here.wake()
    assert stand.host.woken == [stand.driver.woken]
    stand.driver.woken()
    stand.here.wake()
    assert len(stand.host.woken) == 2


def test_a_bug_in_a_turn_is_kept_and_everything_let_go_of():
    stand = Stand()
    stand.link.error = bug = ZeroDivisionError("ours")
    stand.driver.start()
    assert (stand.driver.crash, stand.driver.failure) == (bug, bug)
    assert stand.driver.ended
    assert stand.driver.over
    assert stand.link.abandoned == 1
    assert stand.told == ["changed", "progressed"]


def test_what_ends_a_program_is_not_kept():
    stand = Stand()
    stand.link.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        stand.driver.start()
    assert stand.driver.crash is None


def test_a_driver_that_is_closed_tells_the_end_and_lets_go_of_its_link():
    stand = Stand()
    stand.driver.start()
    stand.driver.close(0.0)
    opened, left = stand.link.commands
    assert (type(opened), left) == (OpenLink, CloseLink(link=opened.link, drain=0.0))
    assert stand.driver.session.state is RoomState.CLOSING
    stand.link.inputs.append(LinkClosed(link=opened.link, reason=CloseReason.CLIENT))
    stand.driver.turn()
    assert stand.driver.session.state is RoomState.CLOSED
    assert [type(event) for event in stand.driver.inbox.unread.take()] == [RoomClosed]
    assert stand.driver.failure is None
    assert stand.link.abandoned == 1


def test_a_round_trip_that_is_not_known_leaves_the_last_one():
    stand = Stand()
    assert (stand.driver.round_trip, stand.driver.answers) == (None, 0)
    stand.driver.measure()
    stand.link.then(0.25)
    stand.host.time = 6.0
    stand.driver.measure()
    stand.link.then(None)
    assert (stand.driver.round_trip, stand.driver.answers) == ((0.25, 5.0), 2)
