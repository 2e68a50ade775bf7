"""Movement sources of a world: before any room is open, while rooms are searched again, and what ends with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rigs.core.world import REALM, Universe, in_a_world, settled

from dcl_comms_core import (
    PeerMoved,
    ProfileAnnounced,
    RoomOpened,
    RoomState,
    SendData,
    SignatureNeeded,
    decode,
)
from dcl_comms_core.testing import MemorySource

if TYPE_CHECKING:
    from rigs.core.world import Citizen

STREET = "simulator:plaza"


class Stage(MemorySource):
    """One that is told more of emotes."""

    def __init__(self, link: int) -> None:
        super().__init__(link)
        self.shown: list[tuple[Any, ...]] = []

    def show_emote(self, emote: Any, duration: float | None, *, now: float | None = None) -> None:
        self.shown.append((emote.urn, duration))


def to_source(citizen: Citizen, source: MemorySource) -> list[Any]:
    """The packets that a source sent so far."""
    sent = [command for command in citizen.asked(SendData) if command.link == source.link]
    return [decode(command.data) for command in sent]


def attached(citizen: Citizen, make: Any = MemorySource) -> Any:
    """A source that listens with a citizen."""
    made: list[Any] = []

    def of(link: int) -> Any:
        made.append(make(link))
        return made[0]

    citizen.session.attach(of, now=citizen.universe.clock.now)
    citizen.turn()
    return made[0]


def test_where_we_are_is_told_to_a_source_before_any_room_is_open() -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = lambda _request: None
    watcher = here.citizen("simulator:elsewhere", number=2, wallet=False)
    attached(watcher)
    alice = here.citizen(number=1)
    alice.call("move", (1.0, 0.0, 0.0), instant=True)
    alice.call("move", (5.0, 0.0, 0.0))
    source = attached(alice)
    here.run(0.5)
    assert alice.session.state is RoomState.CONNECTING
    first, *_ = to_source(alice, source)
    assert (first.movement.position_x, first.movement.is_instant) == (5.0, True)
    alice.call("announce_profile", 7)
    alice.call("emote", "urn:wave", duration=1.0)
    # A memory room names who does not announce itself 3 s after it came.
    here.run(4.0)
    moved = [event for event in watcher.take() if isinstance(event, PeerMoved)]
    assert (moved[0].room, moved[0].position.x) == ("movement", 5.0)
    told = to_source(alice, source)
    assert [packet.profile_version.profile_version for packet in told if packet.profile_version] == [7]
    assert [packet.player_emote.urn for packet in told if packet.player_emote] == ["urn:wave"]


def test_a_version_is_told_in_rooms_that_open_after_the_source() -> None:
    here = Universe()
    bob = here.citizen(STREET, number=2, wallet=False)
    here.run(1.0)
    alice = here.visitor(STREET)
    source = attached(alice)
    here.run(0.5)
    alice.call("announce_profile", 7)
    alice.call("open")
    here.run(1.0)
    assert [packet.profile_version.profile_version for packet in to_source(alice, source)] == [7]
    assert {event.version for event in bob.take(ProfileAnnounced)} == {7}


def test_while_the_room_is_searched_again_an_emote_goes_to_the_source_and_without_one_it_waits() -> None:
    here = Universe()
    alice = in_a_world(here)
    here.rooms["world"].delete(now=here.clock.now)
    here.run(0.1)
    assert alice.session.state is RoomState.WAITING
    alice.call("emote", "urn:one", duration=1.0)
    assert alice.session.waiting == 1
    source = attached(alice, Stage)
    here.run(0.1)
    alice.call("emote", "urn:two", duration=2.0)
    here.run(4.0)
    assert alice.session.state is RoomState.OPEN
    # The one that waited went to the source as soon as that was open.
    assert source.shown == [("urn:one", 1.0), ("urn:two", 2.0)]
    assert alice.session.waiting == 0


def test_what_a_source_wants_signed_is_asked_of_the_application_and_its_answer_goes_back() -> None:
    here = Universe()
    alice = settled(here)
    alice.signs = False
    one = attached(alice, lambda link: MemorySource(link, payload="connect:/:1:{}", room="one"))
    two = attached(alice, lambda link: MemorySource(link, payload="connect:/:2:{}", room="two"))
    asked = alice.take(SignatureNeeded)
    assert [(event.room, event.payload) for event in asked] == [("one", "connect:/:1:{}"), ("two", "connect:/:2:{}")]
    assert alice.who is not None
    alice.call("provide_signature", asked[1].request, alice.who.sign("connect:/:2:{}"))
    alice.call("refuse_signature", asked[0].request, "no")
    here.run(1.0)
    assert [event.room for event in alice.take(RoomOpened)] == ["two"]
    assert (one.sending, two.sending, alice.session.state) == (False, True, RoomState.OPEN)
    alice.call("provide_signature", asked[0].request, alice.who.sign("connect:/:1:{}"))
    assert alice.session.counters["late"] == 1
