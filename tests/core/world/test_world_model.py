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
    Away,
    Backoff,
    CloseReason,
    CommsError,
    Faults,
    FrameReceived,
    Limits,
    LinkClosed,
    NotInARoom,
    Reconnected,
    RoomClosed,
    RoomOpened,
    RoomState,
    ServerPacket,
    SignatureNeeded,
    WarningCode,
    WorldClosed,
    decode,
)
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.pulse.reasons import DisconnectReason
from dcl_comms_core.tap import QuietTap
from dcl_comms_core.testing.strategies import wire_bytes

PATIENT = Backoff(initial=1.0, factor=2.0, maximum=8.0, jitter=0.5, attempts=3)
SERVICES = ["archipelago", "livekit", "ws-room", "http", "pulse"]
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
FEW = Limits(waiting_verbs=3, waiting_seconds=10.0)
"""So little waits for a room, and so short, that there are ends of it to see."""
LET_GO = {WarningCode.SENDS_EXPIRED, WarningCode.SENDS_DROPPED}
services = st.sampled_from(SERVICES)
seconds = st.sampled_from([0.0, 0.005, 0.02, 0.1, 1.0, 3.0, 20.0, 70.0])


class Mouth(QuietTap):
    """Which of our words went into which room, each time that they did."""

    def __init__(self) -> None:
        self.words: list[tuple[str, str]] = []

    def sent(self, at: float, room: str, command: Any) -> None:
        chat = decode(command.data).chat
        if chat is not None:
            self.words.append((room, chat.message))


class Model(RuleBasedStateMachine):
    @initialize(
        ws_rooms=st.booleans(),
        world=st.booleans(),
        seed=st.integers(0, 1000),
        source=st.sampled_from([None, "served", "open", "blocked", "dumb", "watching"]),
        away=st.sampled_from(Away),
    )
    def begin(self, ws_rooms: bool, world: bool, seed: int, source: str | None, away: Away) -> None:
        """``source``: none, and islands come of heartbeats; Pulse, which is served; or a source of the rig's."""
        self.here = Universe(seed=seed, faults=Faults(give_up=6.0), ws_rooms=ws_rooms, pulse=source == "served")
        self.here.http["POST", LOGIN] = self.here.login("world")
        self.here.http["POST", GATE] = self.here.login("scene-a", key="adapter")
        if world:
            self.here.http["GET", f"{REALM}/about"] = about(f"signed-login:{LOGIN}")
        self.world = world
        self.source = source
        self.sources: list[Pulse] = []
        self.cut_off: set[str] = set()
        self.ended = False
        self.away = away
        self.mouth = Mouth()
        self.said: list[str] = []
        """What was taken of what we said, each once."""
        self.alice = self.new(1, seed, tap=self.mouth, limits=FEW, away=away)
        self.bob = self.new(2, seed + 1)
        self.here.run(4.0)
        self.log: list[Any] = []

    def new(self, number: int, entropy: int, **more: Any) -> Citizen:
        if self.source == "served":
            more["pulse"] = "auto"
        elif self.source is not None:
            more["movement"] = self.movement
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

    @rule()
    def says_something_new(self) -> None:
        session, text = self.alice.session, f"word {len(self.mouth.words)} {len(self.said)} {self.here.clock.now}"
        nowhere = not session.rooms and session.state in (RoomState.CONNECTING, RoomState.WAITING)
        try:
            self.alice.call("chat", text)
        except NotInARoom:
            assert not session.sending
        except CommsError:
            assert not (nowhere and self.away is Away.RAISE)
        else:
            assert not (nowhere and self.away is Away.RAISE)
            self.said.append(text)

    @rule(deaf=st.booleans(), wait=st.sampled_from([0.0, 2.0, 11.0]))
    def loses_its_rooms_and_goes_on_speaking(self, deaf: bool, wait: float) -> None:
        """``deaf``: services that could name another room are gone too, until they come back."""
        self.here.down |= {"http", "archipelago"} if deaf else set()
        for name in self.alice.inside():
            self.here.rooms[name].delete(now=self.here.clock.now)
        self.here.run(0.1)
        for _ in range(2):
            self.says_something_new()
            self.says_something_new()
            self.here.run(wait)

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

    @precondition(lambda self: self.here.pulse is not None)
    @rule(what=st.sampled_from(["begins anew", "hangs up", "is told from elsewhere", "bans", "bans"]))
    def something_happens_to_pulse(self, what: str) -> None:
        now, pulse = self.here.clock.now, self.here.pulse
        assert pulse is not None
        if what == "begins anew":
            self.here.restart_pulse()
        elif what == "hangs up":
            pulse.kick(self.alice.name, now=now)
        elif what == "bans":
            pulse.kick(self.bob.name, DisconnectReason.BANNED, now=now)
        else:
            pulse.kick(self.alice.name, DisconnectReason.DUPLICATE_SESSION, now=now)

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

    @rule(room=st.sampled_from(["scene-a", "scene-b", "I1", "island-C1"]))
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

    @invariant()
    def what_is_said_goes_out_once_or_is_let_go_and_told(self) -> None:
        session = self.alice.session
        ours = [one for one in self.mouth.words if one[1] in set(self.said)]
        assert len(ours) == len(set(ours)), "sent twice into one room"
        assert session.rooms or session.waiting <= FEW.waiting_verbs
        told = [event for event in self.alice.events if isinstance(event, WarningEvent) and event.code in LET_GO]
        let_go = session.counters["expired"] + session.counters["dropped"]
        assert all(event.count for event in told)
        assert sum(event.count for event in told) <= let_go
        assert told or not session.counters["expired"]
        # One packet for each room: a word of which nothing went out, or waits, was let go.
        if session.state is not RoomState.CLOSED:
            unheard = set(self.said) - {text for _, text in ours}
            assert len(unheard) <= let_go + session.waiting

    @invariant()
    def what_is_said_keeps_its_order_and_an_outage_is_told_once(self) -> None:
        session = self.alice.session
        assert session.waiting <= FEW.waiting_verbs * (len(session.rooms) + 1)
        places = {text: place for place, text in enumerate(self.said)}
        for label in ("island", "scene"):
            heard = [places[text] for room, text in self.mouth.words if room == label and text in places]
            assert heard == sorted(heard), label
        told = False
        for event in self.alice.events:
            if isinstance(event, RoomOpened | Reconnected):
                told = False
            elif isinstance(event, WarningEvent) and event.code in LET_GO:
                assert not told
                told = True

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
        self.what_is_said_goes_out_once_or_is_let_go_and_told()
        self.what_is_said_keeps_its_order_and_an_outage_is_told_once()
        for citizen in self.citizens():
            session = citizen.session
            assert session.state in (RoomState.OPEN, RoomState.CLOSED), session.state
            if session.state is RoomState.CLOSED:
                (end,) = [event for event in citizen.events if isinstance(event, WorldClosed)]
                assert self.ended or end.reason is not CloseReason.CLIENT
            elif self.source == "served" and not pulse_is_over(citizen):
                # Or in the world's room.
                assert [room for room in session.rooms.values() if room.room == "island" and room.sending]
            citizen.replays()


def pulse_is_over(citizen: Citizen) -> bool:
    """For good: no island comes of it any more."""
    return any(isinstance(event, RoomClosed) and event.room == "pulse" for event in citizen.events)


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
