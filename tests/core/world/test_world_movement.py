"""A world's own movement source: opened with the realm, never its end, and what is hoped of it for an island."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rigs.core.sources import Factory, Mute, Pulse, assign
from rigs.core.world import GATE, LOGIN, REALM, STEADY, Citizen, Universe, about, in_a_world, settled

from dcl_comms_core import (
    CloseReason,
    LinkClosed,
    LocalProtocolError,
    OpenLink,
    OpenSocket,
    Place,
    Realm,
    RealmOpened,
    Reconnecting,
    RoomClosed,
    RoomOpened,
    RoomState,
    ScenesOnly,
    SendData,
    SimulatorAdapter,
    StayState,
    Timer,
    WarningCode,
    WorldClosed,
    WorldSession,
    decode,
)
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.limits import Limits
from dcl_comms_core.testing import MemorySource

if TYPE_CHECKING:
    from collections.abc import Callable

NAMED = {"configurations": {"realmName": "Main"}}


def genesis(here: Universe, **more: Any) -> None:
    adapter = "archipelago:archipelago:wss://realm.example/ws"
    here.http["GET", f"{REALM}/about"] = about(adapter, **{**NAMED, **more})


def enters(make: Callable[[int], Any] = Pulse, **options: Any) -> tuple[Mute, Citizen, Factory]:
    """Somebody who enters a realm whose island service names no island by itself."""
    here, factory = Mute(), Factory(make)
    here.mum = True
    genesis(here)
    alice = here.citizen(movement=factory, reconnect=STEADY, **options)
    return here, alice, factory


def codes(citizen: Citizen) -> list[WarningCode]:
    return [event.code for event in citizen.take(WarningEvent)]


# --- made and told


def test_it_is_opened_beside_the_island_service_once_the_realm_is_known_and_told_where_we_are() -> None:
    here, factory = Universe(), Factory()
    genesis(here)
    alice = here.citizen(movement=factory, position=(8.0, 0.0, 9.0), reconnect=STEADY)
    assert factory.asked == []
    while not alice.asked(OpenSocket):
        here.run(0.005)
    ((realm, link, within),) = factory.asked
    (source,) = factory.made
    assert (realm.name, within, source.link.link) == ("Main", Place.PUBLIC, link)
    assert source.told == ["Main", (8.0, 0.0, 9.0), "open"]
    assert [command.adapter for command in alice.asked(OpenLink)] == [SimulatorAdapter("pulse")]
    here.run(4.0)
    opened = alice.take(RoomOpened, RealmOpened)
    assert {event.room for event in opened} == {"pulse", "realm", "island"}
    assert alice.session.state is RoomState.OPEN
    assert alice.session.identity.text == alice.name
    # Where a movement says it, it is not said twice; where none does, it is.
    alice.call("move", (9.0, 0.0, 9.0))
    alice.call("set_position", (10.0, 0.0, 9.0))
    assert source.told[3:] == [(10.0, 0.0, 9.0)]


def test_another_name_in_the_realms_document_is_told_and_no_second_source_is_made() -> None:
    here, factory = Universe(), Factory()
    alice = in_a_world(here, movement=factory)
    (source,) = factory.made
    assert source.told[-1] == "open"
    here.http["GET", f"{REALM}/about"] = about(f"signed-login:{LOGIN}", **NAMED)
    here.rooms["world"].delete(now=here.clock.now)
    here.run(5.0)
    assert (source.realm, len(factory.made)) == ("Main", 1)
    assert alice.session.state is RoomState.OPEN


def test_what_the_user_calls_the_realm_is_what_it_is_called() -> None:
    here, factory = Universe(), Factory()
    genesis(here)
    here.citizen(movement=factory, realm_name="mine")
    here.run(1.0)
    assert factory.made[0].realm == "mine"


def test_a_realm_that_has_none_is_asked_for_one_again_when_it_speaks_again() -> None:
    here, factory = Universe(), Factory(lambda _link: None)
    in_a_world(here, movement=factory)
    factory.make = Pulse
    here.rooms["world"].delete(now=here.clock.now)
    here.run(5.0)
    assert (len(factory.asked), len(factory.made)) == (2, 1)


def test_where_no_document_is_asked_for_it_is_made_when_we_begin() -> None:
    here, factory = Universe(), Factory()
    alice = here.citizen("archipelago:wss://realm.example/ws", movement=factory, realm_name="main")
    here.run(4.0)
    ((realm, _, within),) = factory.asked
    assert (realm, within, factory.made[0].realm) == (Realm(), None, "main")
    assert alice.session.state is RoomState.OPEN


def test_a_realm_that_can_t_be_entered_has_none() -> None:
    here, factory = Universe(), Factory()
    here.http["GET", f"{REALM}/about"] = about("ws-room:nonsense nonsense")
    alice = here.citizen(movement=factory)
    here.run(1.0)
    assert alice.session.state is RoomState.CLOSED
    assert factory.asked == []


def test_the_islands_room_goes_first_where_there_is_place_for_one() -> None:
    here, factory = Universe(), Factory()
    genesis(here)
    alice = here.citizen(movement=factory, limits=Limits(rooms=1), reconnect=STEADY)
    here.run(4.0)
    assert (factory.asked, alice.session.state) == ([], RoomState.OPEN)
    assert codes(alice) == [WarningCode.SOURCE_LOST]


@pytest.mark.parametrize("label", ["island", "scene", "realm", ""])
def test_its_label_is_not_that_of_a_room(label: str) -> None:
    here = Universe()
    alice = settled(here)
    with pytest.raises(LocalProtocolError, match="a movement source's label is none of island, realm, scene"):
        alice.call("attach", lambda link: MemorySource(link, room=label))


# --- its end


def test_its_end_is_not_the_worlds_whatever_the_reason_and_one_warning_names_it() -> None:
    here, factory = Universe(), Factory()
    genesis(here)
    alice = settled(here, movement=factory, gatekeeper=GATE)
    here.http["POST", GATE] = here.login("scene", key="adapter")
    (source,) = factory.made
    alice.tell(LinkClosed(link=source.link, reason=CloseReason.DUPLICATE_IDENTITY))
    here.run(100.0)
    closed, warning, *more = alice.take(RoomClosed, WarningEvent)
    assert (closed.room, closed.reason, more) == ("pulse", CloseReason.DUPLICATE_IDENTITY, [])
    assert (warning.room, warning.code) == ("pulse", WarningCode.SOURCE_LOST)
    assert (alice.session.state, len(factory.asked)) == (RoomState.OPEN, 1)
    alice.call("enter_scene", "a", (0, 0))
    here.run(1.0)
    assert "scene" in alice.inside()
    alice.call("close")
    here.run(1.0)
    assert isinstance(alice.take()[-1], WorldClosed)


def test_a_world_that_closes_waits_for_it_and_warns_of_nothing() -> None:
    here, factory = Universe(), Factory()
    genesis(here)
    alice = settled(here, movement=factory)
    alice.call("close")
    here.run(8.0)
    *_, end = events = alice.take(RoomClosed, WorldClosed, WarningEvent)
    assert {event.room for event in events} == {"island", "pulse", ""}
    assert (type(end), alice.session.state) == (WorldClosed, RoomState.CLOSED)


# --- no island


def test_that_no_island_came_is_not_told_while_it_is_on_its_way_and_may_give_one() -> None:
    here, alice, factory = enters(lambda link: Pulse(link, dumb=True))
    here.run(15.0)
    assert codes(alice) == []
    (source,) = factory.made
    # It opens, and has its time from then on.
    source.dumb = False
    source.open(now=here.clock.now)
    here.run(8.0)
    assert (codes(alice), alice.session.state) == ([], RoomState.CONNECTING)
    assign(alice, "C7")
    here.run(30.0)
    assert (codes(alice), alice.session.state, alice.inside()) == ([], RoomState.OPEN, ["C7", "pulse"])
    assert here.rooms["C7"].identities == (alice.name,)


def test_that_no_island_came_is_told_once_it_had_its_time_and_we_wait_on_as_long_as_for_any() -> None:
    here, alice, factory = enters()
    here.run(10.2)
    assert codes(alice) == [WarningCode.NO_ISLAND]
    here.run(30.0)
    assert (codes(alice), alice.session.state) == ([], RoomState.CONNECTING)
    # In the end we are in the realm without: others are seen through the source.
    here.run(90.0)
    assert (codes(alice), alice.session.state) == ([], RoomState.OPEN)
    assert factory.made[0].sending
    # And an island that comes at last is entered.
    assign(alice, "C7")
    here.run(1.0)
    assert (alice.session.state, alice.inside()) == (RoomState.OPEN, ["C7", "pulse"])


def test_without_an_island_what_is_said_waits_for_one() -> None:
    here, alice, _ = enters()
    here.run(131.0)
    assert alice.session.state is RoomState.OPEN
    alice.call("chat", "is anybody there")
    assert alice.session.waiting == 1
    assign(alice, "C7")
    alice.asked(SendData)
    here.run(1.0)
    said = [decode(command.data).chat for command in alice.asked(SendData)]
    assert [chat.message for chat in said if chat is not None] == ["is anybody there"]
    assert alice.session.waiting == 0


def test_the_word_waits_no_longer_than_for_a_link_for_one_that_says_nothing() -> None:
    here, alice, _ = enters(lambda link: Pulse(link, dumb=True))
    here.run(15.0)
    assert alice.session.deadline_reason is not None
    assert Timer.ISLAND in alice.session.timers
    here.run(16.0)
    # It is not there, so we go on without.
    assert (codes(alice), alice.session.state) == ([WarningCode.NO_ISLAND], RoomState.OPEN)


def test_what_can_t_be_reached_says_so_once_and_we_go_on_with_scenes_and_what_rooms_carry() -> None:
    here, alice, factory = enters(lambda link: Pulse(link, blocked=True), gatekeeper=GATE)
    here.http["POST", GATE] = here.login("scene", key="adapter")
    here.run(12.0)
    warnings = alice.take(WarningEvent)
    assert [(event.room, event.code) for event in warnings] == [
        ("pulse", WarningCode.SOURCE_UNREACHABLE),
        ("realm", WarningCode.NO_ISLAND),
    ]
    assert alice.session.state is RoomState.OPEN
    alice.call("enter_scene", "a", (0, 0))
    here.run(1.0)
    assert alice.inside() == ["scene"]
    alice.call("chat", "hello")
    here.run(300.0)
    assert (codes(alice), alice.session.state) == ([], RoomState.OPEN)
    # It tries again all the time, and is there at last: then an island comes, as ever.
    (source,) = factory.made
    source.blocked = False
    here.run(9.0)
    assert source.sending
    assign(alice, "C7")
    here.run(1.0)
    assert (alice.session.state, alice.inside()) == (RoomState.OPEN, ["C7", "pulse", "scene"])


def test_an_end_before_there_is_an_island_is_as_if_it_could_not_be_reached() -> None:
    here, alice, factory = enters()
    here.run(10.2)
    assert codes(alice) == [WarningCode.NO_ISLAND]
    alice.tell(LinkClosed(link=factory.made[0].link, reason=CloseReason.BANNED))
    assert (codes(alice), alice.session.state) == ([WarningCode.SOURCE_LOST], RoomState.OPEN)


def test_who_only_watches_is_in_as_soon_as_it_watches_and_never_told_that_there_is_no_island() -> None:
    here, alice, factory = enters(lambda link: Pulse(link, places=False, dumb=True))
    here.run(2.0)
    assert alice.session.state is RoomState.CONNECTING
    (source,) = factory.made
    source.dumb = False
    source.open(now=here.clock.now)
    here.run(0.1)
    assert alice.session.state is RoomState.OPEN
    here.run(30.0)
    assert (codes(alice), alice.session.state) == ([], RoomState.OPEN)
    # It wants none; one that comes is entered all the same.
    assign(alice, "C7")
    here.run(1.0)
    assert (alice.session.state, alice.inside()) == (RoomState.OPEN, ["C7", "pulse"])


@pytest.mark.parametrize("how", [{"dumb": True}, {"blocked": True}])
def test_who_only_watches_and_can_t_waits_as_long_as_others_do(how: dict[str, bool]) -> None:
    here, alice, _ = enters(lambda link: Pulse(link, places=False, **how))
    here.run(9.0)
    assert alice.session.state is RoomState.CONNECTING
    here.run(2.0)
    assert alice.session.state is RoomState.OPEN
    assert codes(alice)[-1] is WarningCode.NO_ISLAND


def test_one_that_is_lost_and_comes_back_has_its_time_anew() -> None:
    here, alice, factory = enters()
    here.run(5.0)
    (source,) = factory.made
    source.reconnecting()
    here.run(7.0)
    assert codes(alice) == []
    source.reconnected()
    here.run(9.0)
    assert (codes(alice), [event.room for event in alice.take(Reconnecting)]) == ([], [])
    here.run(2.0)
    assert codes(alice) == [WarningCode.NO_ISLAND]


def test_what_other_sources_tell_of_themselves_is_nothing_to_it() -> None:
    here, alice, _ = enters()
    other = Pulse(0)

    def attach(link: int) -> Pulse:
        nonlocal other
        other = Pulse(link, room="other", places=False)
        return other

    alice.call("attach", attach)
    here.run(3.0)
    other.warn(WarningCode.SOURCE_UNREACHABLE)
    other.reconnecting()
    other.reconnected()
    here.run(8.0)
    assert codes(alice) == [WarningCode.SOURCE_UNREACHABLE, WarningCode.NO_ISLAND]
    assert alice.session.state is RoomState.CONNECTING


def test_an_island_that_is_lost_when_none_can_come_any_more_leaves_us_in_the_realm() -> None:
    here, alice, factory = enters()
    here.run(1.0)
    assign(alice, "C7")
    here.run(1.0)
    assert alice.session.state is RoomState.OPEN
    alice.tell(LinkClosed(link=factory.made[0].link, reason=CloseReason.BANNED))
    here.rooms["C7"].delete(now=here.clock.now)
    here.run(400.0)
    assert (alice.session.state, alice.session.standing["island"].stay) == (RoomState.OPEN, StayState.IN)
    assert codes(alice)[-1] is WarningCode.NO_ISLAND
    alice.call("close")
    here.run(1.0)
    assert alice.session.state is RoomState.CLOSED


def test_a_realm_that_forms_islands_from_heartbeats_does_so_whatever_becomes_of_it() -> None:
    for make in (Pulse, lambda link: Pulse(link, blocked=True), lambda link: Pulse(link, dumb=True)):
        here, factory = Universe(), Factory(make)
        genesis(here)
        alice = here.citizen(movement=factory, reconnect=STEADY)
        here.run(4.0)
        assert alice.session.state is RoomState.OPEN
        assert "I1" in alice.inside()
        here.run(60.0)
        assert WarningCode.NO_ISLAND not in codes(alice)


def test_without_one_a_realm_that_names_no_island_ends_as_ever() -> None:
    here = Mute()
    here.mum = True
    genesis(here)
    alice = here.citizen(reconnect=STEADY)
    here.run(130.0)
    assert codes(alice) == [WarningCode.NO_ISLAND]
    assert alice.session.state is RoomState.CLOSED


# --- what Pulse's setting means for it


@pytest.mark.parametrize(
    "setting", [None, "auto", "127.0.0.1:7777", ScenesOnly((0, 0, 1, 1), (5, 5), also={"other": [(0, 0)]})]
)
def test_a_world_takes_any_setting_and_a_journal_holds_it(setting: Any) -> None:
    here = Universe()
    genesis(here)
    alice = here.citizen(pulse=setting, reconnect=STEADY)
    here.run(4.0)
    assert (alice.session.state, codes(alice)) == (RoomState.OPEN, [])
    alice.replays()


def test_who_asks_pulse_needs_the_wall_clock() -> None:
    session = WorldSession("archipelago:wss://realm.example/ws", address="0x" + "ab" * 20, pulse="h:1")
    with pytest.raises(LocalProtocolError, match="wall clock"):
        session.open(now=0.0)
    WorldSession("archipelago:wss://realm.example/ws", address="0x" + "ab" * 20).open(now=0.0)


def test_a_wrong_setting_is_refused_at_once() -> None:
    with pytest.raises(LocalProtocolError, match="pulse= takes"):
        WorldSession(REALM, pulse="h:x")


@pytest.mark.parametrize(
    ("setting", "said", "warned"),
    [
        ("auto", "h:x", True),
        ("auto", "127.0.0.1:7777", True),
        ("auto", "realm.example:7777", False),
        (ScenesOnly((0, 0, 1, 1)), "h:x", True),
        ("h:1", "h:x", False),
        (None, "127.0.0.1:7777", False),
    ],
)
def test_a_realm_that_says_nonsense_of_its_pulse_is_told_of_where_that_counts(
    setting: Any, said: str, warned: bool
) -> None:
    here = Universe()
    genesis(here)
    status, headers, body = here.http["GET", f"{REALM}/about"]  # type: ignore[misc]
    here.http["GET", f"{REALM}/about"] = (
        status,
        headers,
        body.replace(b'"protocol"', f'"pulse": "{said}", "protocol"'.encode()),
    )
    alice = here.citizen(pulse=setting, reconnect=STEADY)
    here.run(4.0)
    assert codes(alice) == [WarningCode.PULSE_UNREADABLE] * warned
    assert alice.session.realm is not None
    assert alice.session.state is RoomState.OPEN


def test_without_a_wallet_there_is_no_pulse_and_no_word_of_it() -> None:
    here = Universe()
    here.http["GET", f"{REALM}/about"] = about("simulator:plaza", pulse="h:x")
    alice = here.citizen(pulse="auto", wallet=False)
    here.run(1.0)
    assert (codes(alice), alice.session.state) == ([], RoomState.OPEN)
