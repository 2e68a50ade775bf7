"""ArchipelagoSession and WsRoomSession against small models: any order of calls and news, legal, late or hostile.

The models keep the stage by their own rules, and what is sent at each.  Nothing but LocalProtocolError is raised, and
exactly where the model says so.  A journal of it all runs again to the same end.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from rigs.core.chains import identity
from rigs.core.model import walk
from rigs.core.sockets import GUARD, RealmRig, RoomRig

from dcl_comms_core import (
    RETRY,
    ArchipelagoSession,
    Away,
    Backoff,
    ChallengeGuard,
    CloseReason,
    CloseSocket,
    IslandChanged,
    IslandChangedMessage,
    Journal,
    Kicked,
    KickedMessage,
    LocalProtocolError,
    NotInARoom,
    OpenSocket,
    PeerJoined,
    PeerLeft,
    RealmClosed,
    Retry,
    RoomClosed,
    SendFrame,
    ServerPacket,
    SignatureNeeded,
    WsKicked,
    WsPacket,
    WsPeerJoin,
    WsPeerLeave,
    WsRoomSession,
)
from dcl_comms_core.states import (
    ARCHIPELAGO_TRANSITIONS,
    ROOM_TRANSITIONS,
    STAGE_TRANSITIONS,
    RoomTrigger,
    Stage,
    StageTrigger,
)
from dcl_comms_core.testing.strategies import wire_bytes

STEADY = Backoff(initial=1.0, factor=2.0, jitter=0.0, attempts=2)
STAGES = ("connecting", "identifying", "signing", "proving", "welcomed")
CLOSED = {
    "identifying": CloseReason.REJECTED,
    "signing": CloseReason.NOT_SIGNED,
    "proving": CloseReason.AUTHENTICATION,
    "welcomed": CloseReason.NETWORK,
}


class Model(RuleBasedStateMachine):
    """What both have in common: the handshake, its ends, and coming back."""

    rig: Any
    ends: type

    def make(self, **options: Any) -> Any:
        raise NotImplementedError

    @initialize(allowed=st.sampled_from([True] * 7 + [False]))
    def begin(self, allowed: bool) -> None:
        self.journal = Journal()
        self.allowed = allowed
        """Would we sign anything there?"""
        guard = GUARD if allowed else ChallengeGuard(["elsewhere.example"])
        self.rig = self.make(reconnect=STEADY, guard=guard)
        self.stage = "new"
        self.been_in = False
        self.tried = 0
        self.requests = 0
        self.over = False
        self.stable_at = float("inf")

    # --- the books

    def settle(self) -> list[Any]:
        """Drain; what it said is what the model says, and nothing goes to a socket that is over."""
        for command in self.rig.session.commands():
            match command:
                case OpenSocket():
                    self.rig.link = command.link
                    assert self.stage == "connecting"
                case SendFrame():
                    assert command.link == self.rig.link
                    assert self.stage in STAGES
                case CloseSocket():
                    assert command.link == self.rig.link
        events = self.rig.session.events()
        assert not (self.over and events)
        self.over = any(isinstance(event, self.ends) for event in events) or self.over
        return list(events)

    def ended(self, reason: CloseReason) -> None:
        """The socket is over."""
        if self.rig.now >= self.stable_at:
            self.tried = 0
        self.stable_at = float("inf")
        before = self.stage
        if before == "closing":
            self.stage = "closed"
        elif RETRY[reason] is Retry.BACKOFF and self.been_in and self.tried < STEADY.attempts:
            self.tried += 1
            self.stage = "waiting"
        else:
            self.stage = "closed"
        events = self.settle()
        closed = [event for event in events if isinstance(event, self.ends)]
        assert len(closed) == (self.stage == "closed")
        if closed:
            assert closed[0].reason is (CloseReason.CLIENT if before == "closing" else reason)

    # --- the caller

    @rule()
    def opens(self) -> None:
        legal = self.stage == "new"
        try:
            self.rig.session.open(now=self.rig.now)
        except LocalProtocolError:
            assert not legal
        else:
            assert legal
            self.stage = "connecting" if self.allowed else "closed"
        events = self.settle()
        refused = legal and not self.allowed
        assert [(type(event), event.reason) for event in events] == [(self.ends, CloseReason.SIGNING_REFUSED)] * refused

    @precondition(lambda self: self.stage == "closed")
    @rule()
    def another_session(self) -> None:
        self.teardown()
        self.begin(True)

    @rule(sure=st.booleans())
    def closes(self, sure: bool) -> None:
        if not sure:
            return
        self.rig.session.close(now=self.rig.now)
        if self.stage in STAGES:
            self.stage = "closing"
        elif self.stage in ("new", "waiting"):
            self.stage = "closed"
        self.settle()

    @rule(request=st.integers(-1, 1), payload=st.sampled_from(["dcl-a", "dcl-b"]))
    def signs(self, request: int, payload: str) -> None:
        legal = self.stage == "signing" and request == 0
        late = self.rig.session.counters["late"]
        try:
            self.rig.session.provide_signature(self.requests + request, identity().sign(payload), now=self.rig.now)
        except LocalProtocolError:
            assert legal
            assert payload != self.challenge
        else:
            assert not legal or payload == self.challenge
            if legal:
                self.stage = "proving"
        assert (self.rig.session.counters["late"] == late) == legal
        assert self.settle() == []

    # --- the server

    @rule()
    def connects(self) -> None:
        self.rig.connected_only()
        self.stage = {"connecting": "identifying"}.get(self.stage, self.stage)
        assert self.settle() == []

    @rule(text=st.sampled_from(["dcl-a", "dcl-b", "dcl-a", "no challenge"]))
    def challenges(self, text: str) -> None:
        if self.stage != "connecting":
            self.rig.challenge(text)
        if self.stage == "identifying" and text.startswith("dcl-"):
            self.stage = "signing"
            self.challenge = text
            self.requests += 1
            (needed,) = self.settle()
            assert (type(needed), needed.payload, needed.request) == (SignatureNeeded, text, self.requests)
        elif self.stage == "identifying":
            self.ended(CloseReason.SIGNING_REFUSED)
        else:
            assert self.settle() == []

    @rule()
    def welcomes(self) -> None:
        legal = self.stage == "proving"
        if self.stage != "connecting":
            self.rig.welcome()
        if legal:
            self.stage = "welcomed"
            self.been_in = True
            self.stable_at = self.rig.now + 30.0
        assert (len(self.settle()) >= 1) == legal

    @precondition(lambda self: self.stage in ("new", "waiting", "connecting", "closed"))
    @rule(far=st.sampled_from([*STAGES[1:], "welcomed"]))
    def gets_in(self, far: str) -> None:
        """The short way, else rarely found; all of it or a part."""
        if self.stage == "closed" or not self.allowed:
            self.another_session()
        if self.stage == "new":
            self.opens()
        if self.stage == "waiting":
            self.time_passes(8.0)
        way = (self.connects, lambda: self.challenges("dcl-a"), lambda: self.signs(0, "dcl-a"), self.welcomes)
        for step in way[: STAGES.index(far)]:
            step()
        assert self.stage == far

    @rule(code=st.sampled_from([1000, 1005, 1006]))
    def hangs_up(self, code: int) -> None:
        if self.stage not in (*STAGES, "closing"):
            self.rig.gone(code)
            assert self.settle() == []
            return
        reason = CloseReason.NETWORK if code == 1006 else CLOSED.get(self.stage, CloseReason.NETWORK)
        self.rig.gone(code)
        self.ended(reason)

    # --- time

    @rule(seconds=st.sampled_from([0.1, 0.5, 2.0, 8.0, 31.0]))
    def time_passes(self, seconds: float) -> None:
        end = self.rig.now + seconds
        while (deadline := self.rig.session.deadline()) is not None and deadline <= end:
            self.rig.now = max(self.rig.now, deadline)
            self.rig.session.handle_timeout(self.rig.now)
            self.timer()
        self.rig.now = end
        self.rig.session.handle_timeout(end)
        assert self.settle() == []

    def timer(self) -> None:
        if self.stage == "waiting":
            self.stage = "connecting"
            assert self.settle() == []
        elif self.stage == "welcomed":
            self.settle()
        else:
            self.ended(CloseReason.NOT_SIGNED if self.stage == "signing" else CloseReason.TIMEOUT)

    @invariant()
    def it_is_where_the_model_is(self) -> None:
        session = self.rig.session
        assert session.stage.value == (self.stage if self.stage in STAGES else "idle")
        deadline = session.deadline()
        if self.stage in ("new", "closed"):
            assert deadline is None
        elif self.stage != "welcomed":
            assert deadline is not None
        assert deadline is None or deadline >= self.rig.now
        assert (session.state.value == "closed") == (self.stage == "closed") == self.over

    def teardown(self) -> None:
        replay = Journal.read(self.journal.text()).replay()
        assert replay.identical, replay
        assert replay.skipped == 0


class _Realm(RealmRig):
    def drain(self) -> None:
        """The model does that."""

    connected_only = RealmRig.connected


class _Room(RoomRig):
    def drain(self) -> None:
        """The model does that."""

    connected_only = RoomRig.connected


class ArchipelagoModel(Model):
    ends = RealmClosed

    def make(self, **options: Any) -> Any:
        return _Realm(make=partial(self.journal.record, ArchipelagoSession), **options)

    @rule(x=st.floats(-100.0, 100.0))
    def walks(self, x: float) -> None:
        beats = self.rig.session.counters["heartbeats"]
        self.rig.session.set_position((x, 0.0, 0.0), now=self.rig.now)
        assert self.rig.session.counters["heartbeats"] <= beats + (self.stage == "welcomed")
        assert self.settle() == []

    @rule(readable=st.booleans())
    def moves(self, readable: bool) -> None:
        text = "ws-room:h/rooms/I1" if readable else "nonsense"
        self.rig.say(island_changed=IslandChangedMessage("I1", text))
        kinds = [type(event) for event in self.settle()]
        assert (IslandChanged in kinds) == (self.stage == "welcomed" and readable)

    @rule(sure=st.sampled_from([False, False, True]))
    def kicks(self, sure: bool) -> None:
        if not sure or self.stage == "connecting":
            return
        self.rig.say(kicked=KickedMessage())
        if self.stage in STAGES:
            self.kicked(CloseReason.DUPLICATE_IDENTITY if self.stage == "welcomed" else CloseReason.BANNED)

    def kicked(self, cause: CloseReason) -> None:
        self.stage = "closed"
        kicked, end = self.settle()
        assert (type(kicked), kicked.cause, end.reason) == (Kicked, cause, cause)

    @rule()
    def renews(self) -> None:
        legal = self.stage in (*STAGES, "waiting")
        try:
            self.rig.session.renew(now=self.rig.now)
        except LocalProtocolError:
            assert not legal
        else:
            assert legal
        if self.stage == "welcomed":
            if self.rig.now >= self.stable_at:
                self.tried = 0
            self.stable_at = float("inf")
            self.tried += 1
            self.stage = "waiting"
        assert len(self.settle()) <= 1

    @precondition(lambda self: self.stage not in ("new", "connecting"))
    @rule(data=wire_bytes(ServerPacket))
    def babbles(self, data: bytes) -> None:
        """Any bytes: they may be a kick, a challenge or a welcome, so the model asks where that led."""
        babble(self, data)


def babble(model: Model, data: bytes) -> None:
    before = model.stage
    requests = model.requests
    model.rig.say(raw=data)
    session = model.rig.session
    events = session.events()
    session.commands()
    model.over = any(isinstance(event, model.ends) for event in events) or model.over
    for event in events:
        if isinstance(event, SignatureNeeded):
            assert before == "identifying"
            model.requests, model.challenge = requests + 1, event.payload
    where = session.stage.value
    if model.over:
        model.stage = "closed"
    elif before in STAGES:
        model.stage = where
        assert STAGES.index(where) - STAGES.index(before) in (0, 1)
        if (before, where) == ("proving", "welcomed"):
            model.been_in = True
            model.stable_at = model.rig.now + 30.0


class WsRoomModel(Model):
    ends = RoomClosed

    def make(self, **options: Any) -> Any:
        # What waits for a room has a model of its own.
        return _Room(make=partial(self.journal.record, WsRoomSession), away=Away.RAISE, **options)

    @rule(alias=st.integers(1, 4), name=st.sampled_from(["0xa", "0xA", "0xb"]))
    def joins(self, alias: int, name: str) -> None:
        self.rig.say(peer_join_message=WsPeerJoin(alias, name))
        self.roster()

    @rule(alias=st.integers(1, 4))
    def leaves(self, alias: int) -> None:
        self.rig.say(peer_leave_message=WsPeerLeave(alias))
        self.roster()

    def roster(self) -> None:
        """Joining and leaving take turns, for each of them."""
        for event in self.settle():
            assert self.stage == "welcomed"
            assert isinstance(event, PeerJoined | PeerLeft)

    @rule(sure=st.sampled_from([False, False, True]))
    def kicks(self, sure: bool) -> None:
        if not sure or self.stage == "connecting":
            return
        self.rig.say(peer_kicked=WsKicked("full"))
        if self.stage in STAGES:
            full = self.stage == "identifying"
            self.stage = "closed"
            kicked, end = self.settle()
            cause = CloseReason.ROOM_FULL if full else CloseReason.DUPLICATE_IDENTITY
            assert (type(kicked), kicked.cause, end.reason) == (Kicked, cause, cause)

    @rule(text=st.text(min_size=1, max_size=3))
    def chats(self, text: str) -> None:
        try:
            self.rig.session.chat(text, now=self.rig.now)
        except (LocalProtocolError, NotInARoom):
            assert self.stage != "welcomed"
        else:
            assert self.stage == "welcomed"
        assert self.settle() == []

    @precondition(lambda self: self.stage not in ("new", "connecting"))
    @rule(data=wire_bytes(WsPacket))
    def babbles(self, data: bytes) -> None:
        """Any bytes: they may be a kick, a challenge or a welcome, so the model asks where that led."""
        babble(self, data)


TestArchipelagoModel = ArchipelagoModel.TestCase
TestArchipelagoModel.settings = settings(max_examples=30, stateful_step_count=30)
TestWsRoomModel = WsRoomModel.TestCase
TestWsRoomModel.settings = settings(max_examples=30, stateful_step_count=30)


@pytest.mark.nightly
def test_for_long() -> None:
    # Once its socket is over, nothing says so again.
    stages = {row: to for row, to in STAGE_TRANSITIONS.items() if row != (Stage.IDLE, StageTrigger.OVER)}
    walk(ArchipelagoModel, ARCHIPELAGO_TRANSITIONS, stages, examples=400)
    # A WebSocket does not repair itself.
    never = {RoomTrigger.RECONNECTING, RoomTrigger.RECONNECTED, RoomTrigger.REFUSED}
    rows = {row: to for row, to in ROOM_TRANSITIONS.items() if row[1] not in never and row[0].value != "reconnecting"}
    walk(WsRoomModel, rows, STAGE_TRANSITIONS, examples=400)
