"""WorldSession in a universe in which anything may happen at any time.

The rig looks for what must never be: two links to one room, a token older than its life, anything begun after a cause
that ends it, time that stands still.  Here: where it says that it is, it is; and once all is calm, it is in or over.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from rigs.core.sources import Pulse
from rigs.core.world import GATE, LOGIN, REALM, Citizen, Universe, about, said

from dcl_comms_core import (
    Backoff,
    CloseReason,
    CommsError,
    Faults,
    FrameReceived,
    LinkClosed,
    RoomState,
    ServerPacket,
    SignatureNeeded,
    WarningCode,
    WorldClosed,
)
from dcl_comms_core.testing.strategies import wire_bytes

PATIENT = Backoff(initial=1.0, factor=2.0, maximum=8.0, jitter=0.5, attempts=3)
SERVICES = ["archipelago", "livekit", "ws-room", "http"]
GATES: dict[str, Any] = {
    "banned": said(403, error="User is banned from this scene"),
    "busy": said(503),
    "wait": said(429, {"retry-after": "5"}),
    "garbage": (200, {}, b"\x00{"),
    "silent": lambda _request: None,
    "loop": said(adapter=f"signed-login:{GATE}"),
}
EXAMPLES = int(os.environ.get("DCL_MODEL_EXAMPLES", "200"))
"""Of the long runs; a release is worth 20,000: see CONTRIBUTING.md."""
services = st.sampled_from(SERVICES)
seconds = st.sampled_from([0.0, 0.005, 0.02, 0.1, 1.0, 3.0, 20.0, 70.0])


class Model(RuleBasedStateMachine):
    @initialize(
        ws_rooms=st.booleans(),
        world=st.booleans(),
        seed=st.integers(0, 1000),
        source=st.sampled_from([None, None, "open", "blocked", "dumb", "watching"]),
    )
    def begin(self, ws_rooms: bool, world: bool, seed: int, source: str | None) -> None:
        self.here = Universe(seed=seed, faults=Faults(give_up=6.0), ws_rooms=ws_rooms)
        self.here.http["POST", LOGIN] = self.here.login("world")
        self.here.http["POST", GATE] = self.here.login("scene-a", key="adapter")
        if world:
            self.here.http["GET", f"{REALM}/about"] = about(f"signed-login:{LOGIN}")
        self.world = world
        self.source = source
        self.sources: list[Pulse] = []
        self.cut_off: set[str] = set()
        self.ended = False
        self.alice = self.new(1, seed)
        self.bob = self.new(2, seed + 1)
        self.here.run(4.0)
        self.log: list[Any] = []

    def new(self, number: int, entropy: int) -> Citizen:
        more = {} if self.source is None else {"movement": self.movement}
        return self.here.citizen(
            number=number, gatekeeper=GATE, reconnect=PATIENT, entropy=entropy, profile_version=1, **more
        )

    def movement(self, _realm: Any, link: int, _within: Any) -> Pulse:
        """A movement source, which is as it was chosen to be."""
        what = self.source
        source = Pulse(link, blocked=what == "blocked", dumb=what == "dumb", places=what != "watching")
        self.sources.append(source)
        return source

    def citizens(self) -> list[Citizen]:
        return [self.alice, self.bob]

    # --- the application

    @rule(x=st.sampled_from([0.0, 50.0, 70.0, 300.0]), who=st.booleans())
    def walks(self, x: float, who: bool) -> None:
        citizen = self.bob if who else self.alice
        if citizen.session.state not in (RoomState.CLOSING, RoomState.CLOSED):
            citizen.call("move", (x, 0.0, 0.0))

    @rule(name=st.sampled_from(["a", "b"]))
    def enters_a_scene(self, name: str) -> None:
        try:
            self.alice.call("enter_scene", name, (0, 0))
        except CommsError:
            assert self.alice.session.state in (RoomState.CLOSING, RoomState.CLOSED)

    @rule()
    def leaves_the_scene(self) -> None:
        self.alice.call("leave_scene")

    @rule(text=st.text(max_size=3))
    def chats(self, text: str) -> None:
        opens = self.alice.session.sending
        try:
            self.alice.call("chat", "x" + text.replace("\ud800", ""))
        except CommsError:
            assert not opens or any(ord(letter) in {0x2406, 0x2410, 0x2411} for letter in text)

    @rule(holds=st.booleans())
    def thinks_before_signing(self, holds: bool) -> None:
        self.alice.signs = not holds

    @rule()
    def signs_at_last(self) -> None:
        for event in self.alice.events:
            if isinstance(event, SignatureNeeded) and self.alice.who is not None:
                self.alice.call("provide_signature", event.request, self.alice.who.sign(event.payload))

    @precondition(lambda self: not self.ended)
    @rule(sure=st.sampled_from([False] * 4 + [True]))
    def refuses_to_sign(self, sure: bool) -> None:
        asked = [event for event in self.alice.events if isinstance(event, SignatureNeeded)]
        if sure and asked:
            self.alice.call("refuse_signature", asked[-1].request)

    @rule(sure=st.sampled_from([False] * 5 + [True]))
    def closes(self, sure: bool) -> None:
        if sure:
            self.ended = True
            self.alice.call("close")

    # --- the universe

    @rule(seconds=seconds)
    def time_passes(self, seconds: float) -> None:
        self.here.run(seconds)

    @rule(service=services)
    def a_service_goes_away_or_comes_back(self, service: str) -> None:
        self.here.down ^= {service}

    @rule()
    def sockets_break(self) -> None:
        self.here.cut(self.alice)

    @rule(what=st.sampled_from(["delete", "partition", "heal", "shut down", "restart"]))
    def something_happens_to_a_room(self, what: str) -> None:
        now = self.here.clock.now
        for name in self.alice.inside()[:1]:
            room = self.here.rooms[name]
            if what == "delete":
                room.delete(now=now)
            elif what == "partition":
                room.partition(self.alice.name, now=now)
                self.cut_off.add(name)
            elif what == "shut down":
                room.shut_down(now=now)
        if what == "heal":
            self.heal()
        elif what == "restart":
            for room in self.here.rooms.values():
                room.restart()

    def heal(self) -> None:
        for name in self.cut_off:
            self.here.rooms[name].heal(
                *(port.identity for port in self.here.rooms[name].cut_off), now=self.here.clock.now
            )
        self.cut_off.clear()

    @precondition(lambda self: self.sources)
    @rule(what=st.sampled_from(["lost", "back", "unreachable", "reachable", "over"]))
    def something_happens_to_a_source(self, what: str) -> None:
        source = self.sources[0]
        if what == "lost":
            source.reconnecting()
        elif what == "back":
            source.reconnected()
        elif what == "unreachable":
            source.warn(WarningCode.SOURCE_UNREACHABLE)
        elif what == "reachable":
            source.blocked = False
        else:
            self.alice.tell(LinkClosed(link=source.link, reason=CloseReason.BANNED))
        self.alice.turn()

    @rule(sure=st.sampled_from([False] * 5 + [True]))
    def somebody_is_put_out(self, sure: bool) -> None:
        for name in self.alice.inside()[:1]:
            if sure:
                self.here.rooms[name].remove(self.alice.name, now=self.here.clock.now)

    @rule(sure=st.sampled_from([False] * 5 + [True]))
    def the_same_wallet_logs_in_elsewhere(self, sure: bool) -> None:
        if sure and len(self.here.citizens) < 4:
            self.new(1, 7)

    @rule(how=st.sampled_from(sorted(GATES)))
    def the_gatekeeper_has_a_mood(self, how: str) -> None:
        self.here.http["POST", GATE] = GATES[how]

    @rule(room=st.sampled_from(["scene-a", "scene-b", "I1"]))
    def the_gatekeeper_lets_in(self, room: str) -> None:
        """Be it into the room of an island."""
        self.here.http["POST", GATE] = self.here.login(room, key="adapter")

    @rule(data=wire_bytes(ServerPacket))
    def the_island_service_babbles(self, data: bytes) -> None:
        for link, (server, _) in tuple(self.alice.sockets.items()):
            if server is self.here.archipelago:
                self.alice.tell(FrameReceived(link=link, data=data))

    # --- always

    @invariant()
    def it_is_where_it_says(self) -> None:
        for citizen in self.citizens():
            session = citizen.session
            rooms = [room for room in session.rooms.values() if room.room == "island" and room.sending]
            if session.state is RoomState.OPEN:
                # Where an island may come of a source, and none did, we are in without.
                assert rooms or self.source is not None
            elif session.state in (RoomState.CONNECTING, RoomState.WAITING, RoomState.CLOSED):
                assert not rooms
            assert len(session.rooms) <= 8
            ends = [event for event in citizen.events if isinstance(event, WorldClosed)]
            assert len(ends) == (session.state is RoomState.CLOSED)
            assert not ends or citizen.events[-1] is ends[0]

    def teardown(self) -> None:
        """All is well again: whoever did not end is in after a while; and the same calls give the same."""
        if not hasattr(self, "here"):
            return
        self.here.down.clear()
        self.heal()
        for room in self.here.rooms.values():
            room.restart()
        self.here.http["POST", GATE] = self.here.login("scene-a", key="adapter")
        for citizen in self.here.citizens:
            citizen.signs = True
        self.here.run(200.0)
        self.it_is_where_it_says()
        for citizen in self.citizens():
            session = citizen.session
            assert session.state in (RoomState.OPEN, RoomState.CLOSED), session.state
            if session.state is RoomState.CLOSED:
                (end,) = [event for event in citizen.events if isinstance(event, WorldClosed)]
                assert self.ended or end.reason is not CloseReason.CLIENT
            citizen.replays()


class Silent(Model):
    """At some moment the world outside falls silent: nothing comes any more, not even a failure."""

    def teardown(self) -> None:
        """Whoever waits gives up in time, as the rig sees at each turn; in the end nobody waits."""
        if not hasattr(self, "here"):
            return
        self.here.mute = True
        self.here.run(900.0)
        for citizen in self.citizens():
            assert citizen.session.state in (RoomState.OPEN, RoomState.CLOSED)


TestWorldModel = Model.TestCase
TestWorldModel.settings = settings(max_examples=12, stateful_step_count=20)
TestSilence = Silent.TestCase
TestSilence.settings = settings(max_examples=8, stateful_step_count=20)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
class TestWorldModelDeep(Model.TestCase):  # type: ignore[name-defined,misc]  # Hypothesis makes it
    settings = settings(max_examples=EXAMPLES, stateful_step_count=50)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
class TestSilenceDeep(Silent.TestCase):  # type: ignore[name-defined,misc]  # Hypothesis makes it
    settings = settings(max_examples=max(EXAMPLES // 4, 1), stateful_step_count=50)
