"""RoomSession against a small model: any order of calls and news, legal or late.

The model keeps the state by its own rules, credits and the queue as plain numbers and peers as a dict.  Nothing but
LocalProtocolError and SendQueueFull may be raised, and exactly where the model says so.  A journal of it all runs again
to the same end.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from rigs.core.model import walk
from rigs.core.room import ME, STEADY, UNIX, livekit, people, wire
from rigs.core.waits import check

from dcl_comms_core import (
    RETRY,
    ROOM_TRANSITIONS,
    Chat,
    ChatReceived,
    ClockSet,
    CloseLink,
    CloseReason,
    CredentialsNeeded,
    Journal,
    Limits,
    LinkClosed,
    LinkFailed,
    LinkOpened,
    LinkReconnected,
    LinkReconnecting,
    LinkRef,
    LocalProtocolError,
    OpenLink,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    PeerId,
    PeerJoined,
    PeerLeft,
    Reconnected,
    Reconnecting,
    Retry,
    RoomClosed,
    RoomOpened,
    RoomSession,
    SendAcknowledged,
    SendData,
    SendQueueFull,
    Timer,
    WarningCode,
)
from dcl_comms_core.events import Warning as WarningEvent

IN_FLIGHT, QUEUE, STABLE = 2, 3, 1.0
NAMES = ("alice", "Bob", "bob", "carol")
reasons = st.sampled_from([CloseReason.NETWORK] * len(CloseReason) + list(CloseReason))
TTL = 3600.0
ADAPTER = livekit(ttl=TTL)
IN_ROOM = ("open", "reconnecting")
TIMERS = {
    "connecting": Timer.CONNECT,
    "reconnecting": Timer.REPAIR,
    "waiting": Timer.RETRY,
    "closing": Timer.CLOSE,
}


WAITING = 4.0
BESIDES = {
    WarningCode.ADDRESSEE_UNKNOWN,
    WarningCode.SENDS_DROPPED,
    WarningCode.SENDS_EXPIRED,
    WarningCode.SENDS_MAY_BE_LOST,
}
"""What has tests of its own: whom nobody knows, what was dropped at the end, what may be lost though it was acknowledged."""


class Model(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        self.journal = Journal()
        self.session = self.new_session()
        self.offset = 0.0
        """How far the wall clock is from what the token's issuer had."""
        self.call("receive", ClockSet(unix_offset=UNIX), now=0.0)
        self.now = 0.0
        self.state = "new"
        self.generation = 0
        self.tried = 0
        self.open_since: float | None = None
        self.opened_once = False
        self.repairing = False
        self.said: list[float] = []
        self.away_since: float | None = None
        self.in_flight: list[int] = []
        self.peers: dict[str, str] = {}
        self.told_to_close = False

    @property
    def queue(self) -> int:
        return len(self.said)

    @queue.setter
    def queue(self, count: int) -> None:
        """Fewer: those that were said first are gone."""
        more = count - len(self.said)
        self.said = self.said + [self.now] * more if more > 0 else self.said[-more:]

    def expire(self) -> None:
        """What waited for too long is let go."""
        since = self.away_since
        self.said = [at for at in self.said if (at if since is None else max(at, since)) + WAITING > self.now]

    def new_session(self) -> RoomSession:
        return self.journal.record(
            RoomSession,
            ADAPTER,
            limits=Limits(in_flight=IN_FLIGHT, send_queue=QUEUE, stable_seconds=STABLE, waiting_seconds=WAITING),
            reconnect=STEADY,
            entropy=5,
            # That packets wait until others know us is a matter of its own, with its own tests.
            announce=False,
        )

    # --- calling

    def call(self, verb: str, *args: Any, **kwargs: Any) -> Exception | None:
        try:
            getattr(self.session, verb)(*args, **kwargs)
        except (LocalProtocolError, SendQueueFull) as error:
            return error
        return None

    def settle(self) -> list[Any]:
        """Drain; keep the books of credits; give the events."""
        for command in self.session.commands():
            if isinstance(command, OpenLink):
                self.generation += 1
                assert command.link == LinkRef(1, self.generation)
            elif isinstance(command, SendData):
                assert command.link == LinkRef(1, self.generation)
                assert not self.repairing
                assert not self.told_to_close
                self.queue -= 1
                self.in_flight.append(command.token)
            elif isinstance(command, CloseLink):
                self.told_to_close = self.state == "closing"
        events = self.session.events()
        assert all(event.at == self.now for event in events)
        for event in events:
            if isinstance(event, PeerJoined):
                assert event.sender.text.lower() not in self.peers
                self.peers[event.sender.text.lower()] = event.sender.text
            elif isinstance(event, PeerLeft):
                assert self.peers.pop(event.sender.text.lower()) == event.sender.text
        return [event for event in events if not (isinstance(event, WarningEvent) and event.code in BESIDES)]

    def tell(self, kind: Any, *, late: int = 0, **fields: Any) -> list[Any]:
        link = LinkRef(1, self.generation - late)
        assert self.call("receive", kind(link=link, **fields), now=self.now) is None
        return self.settle()

    def kinds(self, events: list[Any]) -> list[type]:
        return [type(event) for event in events if not isinstance(event, PeerJoined | PeerLeft)]

    def closed(self) -> None:
        self.state = "closed"
        self.queue = 0
        self.in_flight = []

    # --- the caller

    @initialize()
    def start(self) -> None:
        self.open()

    @precondition(lambda self: self.state == "closed")
    @rule(open_it=st.booleans())
    def another_session(self, open_it: bool) -> None:
        self.teardown()
        self.begin()
        if open_it:
            self.open()

    @rule()
    def open(self) -> None:
        error = self.call("open", now=self.now)
        assert (error is None) == (self.state == "new")
        if error is not None or not self.refused():
            self.state = "connecting" if error is None else self.state
            assert self.settle() == []

    def refused(self, *, again: bool = False) -> bool:
        """The token is no good any more: that is looked at before each attempt."""
        if self.now + self.offset < TTL:
            return False
        self.closed()
        *needed, end = self.settle()
        needed = [event for event in needed if not isinstance(event, WarningEvent)]
        assert [type(event) for event in needed] == [CredentialsNeeded] * again
        assert (type(end), end.reason) == (RoomClosed, CloseReason.TOKEN_EXPIRED)
        return True

    @rule(late=st.sampled_from([0.0, 0.0, 0.0, -1e6, TTL]))
    def clock(self, late: float) -> None:
        """Somebody sets the wall clock."""
        self.offset = late
        assert self.call("receive", ClockSet(unix_offset=UNIX + late), now=self.now) is None
        assert self.settle() == []

    @rule(drain=st.sampled_from([None, 0.0, 3.0]), sure=st.booleans())
    def close(self, drain: float | None, sure: bool) -> None:
        if not sure and self.state != "closing":
            return
        assert self.call("close", drain=drain, now=self.now) is None
        before = self.state
        if before in ("new", "waiting"):
            self.closed()
            assert self.kinds(self.settle()) == [RoomClosed]
            return
        if before != "closed":
            self.state = "closing"
        if before == "closing" and drain == 0.0:
            self.queue = 0  # its time is over
        assert self.settle() == []
        if self.told_to_close:
            self.queue = 0

    @precondition(lambda self: self.state in ("new", "waiting"))
    @rule()
    def comes_too_late(self) -> None:
        """The token expired meanwhile."""
        self.clock(TTL)
        if self.state == "new":
            self.open()
        else:
            self.jump()
        assert self.state == "closed"

    @rule(size=st.integers(0, 4), to_all=st.booleans())
    def send(self, size: int, to_all: bool) -> None:
        if to_all:
            error = self.call("chat", "x", now=self.now)
            size = 1
        else:
            error = self.call("chat", "x", to=[PeerId(str(number)) for number in range(size)], now=self.now)
        if self.state in ("closing", "closed"):
            assert isinstance(error, LocalProtocolError)
        else:
            free = IN_FLIGHT - len(self.in_flight) if self.state == "open" else 0
            assert (error is None) == (self.queue + max(size - free, 0) <= QUEUE)
        if error is None:
            self.queue += size
        assert self.settle() == []

    # --- time

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0, 5.0]))
    def let_time_pass(self, seconds: float) -> None:
        deadline = self.session.deadline()
        self.now += seconds
        if deadline is not None and deadline <= self.now:
            self.now = deadline
            self.on_timer()
        else:
            assert self.call("handle_timeout", self.now) is None
            assert self.settle() == []

    @precondition(lambda self: self.session.deadline() is not None)
    @rule()
    def jump(self) -> None:
        deadline = self.session.deadline()
        assert deadline is not None
        self.now = max(self.now, deadline)
        self.on_timer()

    def on_timer(self) -> None:
        reason = self.session.deadline_reason
        before = self.queue
        assert self.call("handle_timeout", self.now) is None
        if self.state not in ("open", "closing"):
            self.expire()
        if reason is Timer.WAITING:
            assert self.queue < before
            assert self.settle() == []
            return
        assert reason is TIMERS[self.state]
        if reason is Timer.RETRY:
            if not self.refused(again=True):
                self.state = "connecting"
                assert self.settle() == []
        elif reason in (Timer.CONNECT, Timer.REPAIR):
            self.over(CloseReason.TIMEOUT)
        elif self.told_to_close:
            self.closed()
            assert self.kinds(self.settle())[-1:] == [RoomClosed]
        else:
            self.settle()
            assert self.told_to_close
            self.queue = 0

    # --- the link

    @rule(present=st.lists(st.sampled_from(NAMES), unique=True), late=st.sampled_from([0, 0, 1]))
    def opened(self, present: list[str], late: int) -> None:
        legal = late == 0 and self.state == "connecting"
        if legal:
            self.state = "open"
            self.repairing = False
            self.away_since = None
        events = self.tell(LinkOpened, late=late, identity=ME, room="r", participants=people(*present))
        if legal:
            assert type(events[0]) is (Reconnected if self.opened_once else RoomOpened)
            self.opened_once = True
            self.open_since = self.now
            assert self.peers.keys() == {name.lower() for name in present}
        else:
            assert events == []

    @precondition(lambda self: self.state in ("new", "connecting", "waiting", "closed"))
    @rule(present=st.lists(st.sampled_from(NAMES), unique=True))
    def get_in(self, present: list[str]) -> None:
        """The short way back into the room, else rarely found."""
        if self.state == "closed":
            self.another_session(open_it=True)
        self.clock(0.0)
        if self.state == "new":
            self.open()
        if self.state == "waiting":
            self.jump()
        self.opened(present, 0)

    @rule(late=st.sampled_from([0, 0, 1]))
    def reconnecting(self, late: int) -> None:
        if late == 0 and self.state in ("open", "closing"):
            expected = [Reconnecting] if self.state == "open" else []
            self.repairing = True
            if self.state == "open":
                self.state, self.away_since = "reconnecting", self.now
        else:
            expected = []
        assert self.kinds(self.tell(LinkReconnecting, late=late)) == expected

    @rule()
    def reconnected(self) -> None:
        expected = []
        if self.state in ("reconnecting", "closing"):
            expected = [Reconnected] if self.state == "reconnecting" else []
            self.repairing = False
            if self.state == "reconnecting":
                self.state, self.away_since = "open", None
        assert self.kinds(self.tell(LinkReconnected)) == expected
        if self.told_to_close:
            self.queue = 0

    @rule(reason=reasons, late=st.sampled_from([0, 0, 0, 1, -1]), failed=st.booleans())
    def ended(self, reason: CloseReason, late: int, failed: bool) -> None:
        kind = LinkFailed if failed else LinkClosed
        if late == 0 and self.state in ("connecting", "closing", *IN_ROOM):
            inp = kind(link=LinkRef(1, self.generation), reason=reason, detail="why")
            assert self.call("receive", inp, now=self.now) is None
            self.over(reason)
        else:
            assert self.tell(kind, late=late, reason=reason) == []

    def over(self, reason: CloseReason) -> None:
        """The link is gone."""
        if self.open_since is not None and self.now - self.open_since >= STABLE:
            self.tried = 0
        self.open_since = None
        retry = RETRY[reason] is Retry.BACKOFF and self.opened_once and self.tried < STEADY.attempts
        if retry and self.state != "closing":
            self.state = "waiting"
            self.away_since = self.now if self.away_since is None else self.away_since
            self.tried += 1
            self.in_flight = []
            *_, last = self.settle()
            assert (type(last), last.attempt, last.reason) == (Reconnecting, self.tried, reason)
            assert self.session.timers[Timer.RETRY] == self.now + (1.0, 2.0, 4.0)[self.tried - 1]
        else:
            expected = CloseReason.CLIENT if self.state == "closing" else reason
            self.closed()
            *_, last = self.settle()
            assert (type(last), last.reason, last.retry) == (RoomClosed, expected, RETRY[expected])

    @precondition(lambda self: self.in_flight)
    @rule(index=st.integers(0, IN_FLIGHT - 1), error=st.sampled_from(["", "", "broken"]))
    def acknowledge(self, index: int, error: str) -> None:
        token = self.in_flight.pop(index % len(self.in_flight))
        events = self.tell(SendAcknowledged, token=token, error=error)
        assert len(events) == bool(error)
        if self.told_to_close:
            self.queue = 0

    @rule(token=st.integers(-1, 3), late=st.sampled_from([0, 1]))
    def acknowledge_nothing(self, token: int, late: int) -> None:
        if token not in self.in_flight or late:
            assert self.tell(SendAcknowledged, late=late, token=token) == []

    @rule(name=st.sampled_from(NAMES), sid=st.sampled_from(["1", "2"]), late=st.sampled_from([0, 0, 1]))
    def joins(self, name: str, sid: str, late: int) -> None:
        before = self.session.peers.get(PeerId(name))
        events = self.tell(ParticipantJoined, late=late, participant=Participant(identity=name, sid=sid))
        if late or self.state not in IN_ROOM or (before is not None and before.sid == sid):
            assert events == []
        else:
            assert [type(event) for event in events] == [PeerLeft, PeerJoined][before is None :]

    @rule(name=st.sampled_from(NAMES), late=st.sampled_from([0, 0, 1]))
    def leaves(self, name: str, late: int) -> None:
        there = name.lower() in self.peers and not late and self.state in IN_ROOM
        assert len(self.tell(ParticipantLeft, late=late, identity=name)) == there

    @rule(sender=st.sampled_from([None, *NAMES]), data=st.sampled_from([wire(chat=Chat(message="hi")), b"\xff", b""]))
    def data(self, sender: str | None, data: bytes) -> None:
        assert self.call("receive_data", sender, data, now=self.now) is None
        events = self.settle()
        assert len(events) == (self.state in IN_ROOM)
        for event in events:
            assert event.sender == (PeerId(sender) if sender else None)
            assert isinstance(event, ChatReceived) == (data not in (b"\xff", b""))

    # --- always

    @invariant()
    def the_session_is_as_the_model(self) -> None:
        session = self.session
        assert session.state.value == self.state
        assert session.waiting == self.queue
        assert session.unacknowledged == self.queue + len(self.in_flight)
        assert session.has_credit() == (self.state == "open" and len(self.in_flight) < IN_FLIGHT)
        assert {who.text for who in session.peers} == set(self.peers.values())
        check(session)
        deadline = session.deadline()
        waits = self.queue > 0 and self.state not in ("open", "closing")
        assert (Timer.WAITING in session.timers) == waits
        assert (deadline is not None) == (self.state in TIMERS or waits)
        assert deadline is None or deadline > self.now

    def teardown(self) -> None:
        """The same calls on a new session give the same commands, events and deadlines, byte for byte."""
        replay = Journal.read(self.journal.text()).replay()
        assert replay.identical, replay


TestRoomSessionModel = Model.TestCase
TestRoomSessionModel.settings = settings(max_examples=60, stateful_step_count=50)


@pytest.mark.nightly
def test_for_long() -> None:
    walk(Model, ROOM_TRANSITIONS, examples=800)
