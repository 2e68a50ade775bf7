"""Parts of a world by themselves: its lifecycle, a stay, the island service, scenes, what waits, what is got back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rigs.core.sockets import GUARD, ME, REALM

from dcl_comms_core import (
    GATEKEEPER,
    ArchipelagoAdapter,
    ArchipelagoSession,
    Backoff,
    ChallengeGuard,
    ClockSet,
    IslandChanged,
    LinkOpened,
    LocalProtocolError,
    MergedRooms,
    OfflineAdapter,
    PacketTooLarge,
    Place,
    Realm,
    Reconnecting,
    Retry,
    RoomClosed,
    RoomRole,
    RoomState,
    SendData,
    SignedLoginAdapter,
    SimulatorAdapter,
    WarningCode,
    WsRoomAdapter,
    decode,
)
from dcl_comms_core.events import Warning as WarningEvent
from dcl_comms_core.limits import Limits
from dcl_comms_core.proto import rfc4
from dcl_comms_core.room.output import Output
from dcl_comms_core.states import CloseReason, StayState, WorldTrigger
from dcl_comms_core.testing import MemoryIslands
from dcl_comms_core.tools.clock import Clock
from dcl_comms_core.tools.prng import Prng
from dcl_comms_core.tools.retries import Retries
from dcl_comms_core.world.admission import Admission
from dcl_comms_core.world.discovery import Found, OlderForms, Setback, Way
from dcl_comms_core.world.islands import IslandService
from dcl_comms_core.world.lifecycle import Lifecycle
from dcl_comms_core.world.login import Login
from dcl_comms_core.world.membership import Stay
from dcl_comms_core.world.movement import Movement
from dcl_comms_core.world.rejoining import Rejoining
from dcl_comms_core.world.scenes import PREVIEW_GATEKEEPER, Scenes, Wish
from dcl_comms_core.world.waiting import Waiting

if TYPE_CHECKING:
    from dcl_comms_core import Adapter

LIMITS = Limits()
STEADY = Backoff(initial=1.0, factor=2.0, maximum=8.0, jitter=0.0, attempts=2)


def stay(role: RoomRole = RoomRole.ISLAND, backoff: Backoff | None = STEADY) -> Stay:
    older = OlderForms(LIMITS)
    way = Way(link=1, room=role.value, limits=LIMITS, guard=ChallengeGuard(), address=None, older=older)
    return Stay(role, way, backoff=backoff, prng=Prng(0), limits=LIMITS)


class Source(MemoryIslands):
    """One that can be told which island we would rather be on."""

    desired: str | None = None

    def set_desired_room(self, island: str | None, *, now: float | None = None) -> None:
        self.desired = island


def islands(source: Any, clock: Clock | None = None) -> IslandService:
    return IslandService(
        Clock() if clock is None else clock,
        LIMITS,
        make=lambda _adapter, _link, _within: source,
        new_link=lambda: 7,
        foreign=True,
        position=(1.0, 2.0, 3.0),
    )


# --- trying again


def test_one_policy_counts_from_when_we_first_were_in() -> None:
    retries = Retries(STEADY, Prng(0), 30.0)
    assert (retries.any, Retries(None, Prng(0), 30.0).any) == (True, False)
    assert [retries.pause(), retries.pause(), retries.left] == [1.0, 2.0, False]
    retries.entered(0.0)
    retries.entered(29.0)  # another room, and we were in all the time
    retries.over(30.0)
    assert (retries.attempt, retries.left) == (0, True)
    retries.pause()
    retries.entered(40.0)
    retries.reset()
    retries.over(100.0)
    assert retries.attempt == 0


def test_a_stay_may_return_so_often_or_without_end_while_we_are_inside() -> None:
    here, setback = stay(), Setback.of(CloseReason.NETWORK)
    for attempt in (1, 2):
        here.seek(0.0, 10.0)
        assert here.deadline == 10.0
        assert here.may_return(setback, 0.0, inside=False)
        here.lost(setback._replace(pause=5.0), 0.0)
        assert (here.attempt, here.due, here.deadline) == (attempt, 5.0, 5.0)
    assert not here.may_return(setback, 0.0, inside=False)
    assert here.may_return(setback, 0.0, inside=True)
    assert not here.may_return(setback._replace(retry=Retry.NEVER), 0.0, inside=True)
    assert not stay(backoff=None).may_return(setback, 0.0, inside=True)
    here.begin_anew()
    assert here.may_return(setback, 0.0, inside=False)
    here.stop()
    assert (here.state, here.deadline) == (StayState.AWAY, None)


def test_a_world_moves_by_its_table() -> None:
    lifecycle = Lifecycle()
    assert (lifecycle.may(WorldTrigger.LOST), lifecycle.over, lifecycle.moved) == (False, False, False)
    lifecycle.move(WorldTrigger.CLOSE)
    assert (lifecycle.state, lifecycle.over, lifecycle.moved) == (RoomState.CLOSING, True, True)


# --- the island service


def test_a_source_is_told_where_we_are_and_the_island_that_we_want_from_the_beginning() -> None:
    source = Source()
    service = islands(source)
    service.prefer("I5")
    assert (service.take(), service.deadline(), service.overdue()) == (([], []), None, None)
    assert service.begin(REALM, None)
    assert (service.link, source.desired) == (7, "I5")
    (told,) = service.take()[1]
    assert isinstance(told, IslandChanged)
    service.prefer(None)
    assert source.desired is None
    with pytest.raises(PacketTooLarge):
        service.prefer("I" * 16_384)
    assert (service.place, service.reason, service.timers, service.counters) == (None, None, {}, {})


def test_a_source_that_can_not_be_told_of_an_island_is_not() -> None:
    service = islands(MemoryIslands())
    service.prefer("I5")
    assert service.begin(REALM, None)
    service.prefer("I6")


def test_without_a_wallet_there_is_no_source() -> None:
    assert not islands(None).begin(REALM, None)


def test_a_source_that_was_told_to_close_has_so_long_for_it() -> None:
    clock, source = Clock(), ArchipelagoSession(REALM, address=ME, guard=GUARD)
    clock.set_unix(1.0e9)
    service = islands(source, clock)
    service.close()
    assert service.begin(REALM, None)
    service.close()
    service.close()
    assert service.deadline() == LIMITS.close_seconds
    clock.pass_time(LIMITS.close_seconds)
    end = service.overdue()
    assert end is not None
    assert (end.room, end.reason) == ("realm", CloseReason.CLIENT)
    source.counters["heartbeats"] += 1
    service.over()
    assert (service.source, service.deadline(), service.counters["heartbeats"]) == (None, None, 1)
    service.receive(ClockSet(unix_offset=0.0))
    service.handle_timeout()


# --- scenes


WORLD = Realm(adapter=SignedLoginAdapter("https://worlds.example/worlds/x.dcl.eth/comms"), name="x.dcl.eth")
OLDER = Realm(adapter=SignedLoginAdapter("https://worlds.example/get-comms-adapter/world-x.dcl.eth"), name="x.dcl.eth")
PREVIEW = Realm(fixed_adapter=WsRoomAdapter("ws://127.0.0.1:8000/mini-comms/room-1"), name="LocalPreview")
GATE = "https://gate.example/"
SCENE = "/worlds/x.dcl.eth/scenes/bafk/comms"


def scenes(target: str | Adapter, gatekeeper: str | None = None, secret: str | None = None) -> Scenes:
    login = Login(target, is_guest=True, secret=secret)
    return Scenes(target, gatekeeper=gatekeeper, realm_name=None, login=login)


@pytest.mark.parametrize(
    ("target", "realm", "place", "url", "within"),
    [
        ("https://realm.example", None, Place.PUBLIC, GATEKEEPER, None),
        ("https://realm.example", None, None, GATEKEEPER, None),
        ("http://127.0.0.1:8000", Realm(), Place.LOOPBACK, "http://127.0.0.1:8000/get-scene-adapter", None),
        (SimulatorAdapter("x"), None, Place.LOOPBACK, GATEKEEPER, None),
        ("https://worlds.example/world/x.dcl.eth", WORLD, Place.PUBLIC, "https://worlds.example" + SCENE, Place.PUBLIC),
        ("https://elsewhere.example", WORLD, Place.PRIVATE, "https://worlds.example" + SCENE, Place.PRIVATE),
        (WORLD.choose(), None, None, "https://worlds.example" + SCENE, None),
        # A world without comms, or with those of before: its server is the one that was named.
        ("https://worlds.example/world/X.dcl.eth", OLDER, Place.PUBLIC, "https://worlds.example" + SCENE, None),
        ("https://worlds.example/world/x.dcl.eth", Realm(adapter=OfflineAdapter("offline")), Place.PUBLIC,
         "https://worlds.example" + SCENE, None),
        ("https://realm.example", OLDER, Place.PUBLIC, GATEKEEPER, None),
    ],
)  # fmt: skip
def test_who_is_asked_for_a_scenes_room(
    target: str | Adapter, realm: Realm | None, place: Place | None, url: str, within: Place | None
) -> None:
    wish = Wish("bafk", (1, 2))
    asked = scenes(target).who(wish, realm, place)
    assert (asked.adapter.url, asked.within) == (url, within)
    assert scenes(target, GATE).who(wish, realm, place).adapter.url == GATE


def test_a_scene_that_is_being_made_is_asked_for_where_explorers_ask() -> None:
    target, wish = "http://127.0.0.1:8000", Wish("b64-L3NjZW5l", (0, 0))
    for realm in (PREVIEW, None, WORLD):
        assert scenes(target).who(wish, realm, Place.LOOPBACK) == (SignedLoginAdapter(PREVIEW_GATEKEEPER), None)
    assert scenes(target, GATE).who(wish, PREVIEW, Place.LOOPBACK).adapter.url == GATE


def test_ids_of_scenes_are_escaped_in_paths() -> None:
    asked = scenes("https://worlds.example/world/x.dcl.eth").who(Wish("a/../b?c", (0, 0)), WORLD, Place.PUBLIC)
    assert asked.adapter.url == "https://worlds.example/worlds/x.dcl.eth/scenes/a%2F..%2Fb%3Fc/comms"


@pytest.mark.parametrize(
    ("realm", "scene_id", "name"),
    [
        (None, "bafk", "main"),
        (Realm(), "bafk", "main"),
        (Realm(name=""), "bafk", "main"),
        (Realm(name="hela"), "bafk", "hela"),
        (WORLD, "bafk", "x.dcl.eth"),
        (PREVIEW, "b64-x", "LocalPreview"),
        (None, "b64-x", "LocalPreview"),
    ],
)
def test_what_the_realm_is_called(realm: Realm | None, scene_id: str, name: str) -> None:
    said = scenes("https://realm.example").said_to(GATE, Wish(scene_id, (1, 2)), realm)
    assert (said["realmName"], said["realm"], said["isGuest"]) == (name, {"serverName": name}, True)
    assert (said["sceneId"], said["parcel"], "secret" in said) == (scene_id, "1,2", False)


@pytest.mark.parametrize(
    ("target", "url", "told"),
    [
        ("https://worlds.example/world/x.dcl.eth", "https://worlds.example/worlds/x.dcl.eth/comms", True),
        ("https://worlds.example/world/x.dcl.eth", "https://other.example/worlds/x.dcl.eth/comms", False),
        ("https://worlds.example/world/x.dcl.eth", "https://worlds.example:8443/worlds/x.dcl.eth/comms", False),
        ("https://worlds.example/world/x.dcl.eth", "http://worlds.example/worlds/x.dcl.eth/comms", False),
        ("https://worlds.example/world/x.dcl.eth", "https://comms-gatekeeper.decentraland.org/x", False),
        ("http://127.0.0.1:8000/world/x", "http://127.0.0.1:8000/worlds/x/comms", True),
        ("https://worlds-content-server.decentraland.org/world/x", "https://gateway.decentraland.org/w/x", True),
        ("https://worlds-content-server.decentraland.org/world/x", "https://decentraland.org.evil.example/x", False),
        (SignedLoginAdapter("https://worlds.example/worlds/x/comms"), "https://worlds.example/worlds/x/comms", True),
        (ArchipelagoAdapter("wss://worlds.example/ws"), "https://worlds.example/worlds/x/comms", False),
        (SimulatorAdapter("x"), "https://worlds.example/worlds/x/comms", False),
    ],
)
def test_a_password_is_said_to_that_realm_only(target: str | Adapter, url: str, told: bool) -> None:
    here = scenes(target, secret="open sesame")
    for said in (here.login.said_to(url), here.said_to(url, Wish("bafk", (0, 0)), None)):
        assert said.get("secret") == ("open sesame" if told else None)


def test_a_password_is_text() -> None:
    with pytest.raises(LocalProtocolError, match="secret= is a world's password"):
        Login("https://realm.example", is_guest=False, secret=b"x")  # type: ignore[arg-type]  # on purpose


# --- what waits


def test_what_waits_for_a_room_is_given_to_the_first_and_the_offer_to_each() -> None:
    merged = MergedRooms(announce=False)
    waiting = Waiting(merged, merged.clock)
    waiting.walk(rfc4.Movement(position_x=5.0))
    waiting.announce(4)
    waiting.offer(4, "{}", "")
    merged.join(SimulatorAdapter("x"), RoomRole.ISLAND, now=0.0)
    (opening,) = merged.commands()
    merged.receive(LinkOpened(link=opening.link, identity="me", room="x"), now=0.0)
    waiting.opened("island")
    kinds = [
        [name for name in ("movement", "profile_version") if getattr(decode(command.data), name) is not None]
        for command in merged.commands()
        if isinstance(command, SendData)
    ]
    assert kinds == [["movement"], ["profile_version"], ["profile_version"]]
    waiting.opened("scene")
    assert merged.commands() == []


# --- what is got back


class Desk:
    """Two stays, and all that decides about them."""

    def __init__(self, target: str | Adapter = "https://realm.example", *, signs: bool = False) -> None:
        self.merged = MergedRooms(announce=False)
        self.clock = self.merged.clock
        self.output = Output("", self.clock)
        self.lifecycle = Lifecycle()
        self.lifecycle.move(WorldTrigger.OPEN)
        self.scenes = scenes(target)
        self.islands = islands(Source(), self.clock)
        self.island, self.scene = stay(), stay(RoomRole.SCENE)
        self.movement = Movement(
            self.merged, self.clock, LIMITS, self.output, make=lambda _realm, _link, _within: None, name=None
        )
        self.rejoining = Rejoining(
            target,
            (self.island, self.scene),
            merged=self.merged,
            islands=self.islands,
            scenes=self.scenes,
            lifecycle=self.lifecycle,
            output=self.output,
            clock=self.clock,
            movement=self.movement,
            admission=Admission(signs, plain=False),
        )


def test_the_first_way_into_a_world_is_not_repeated_and_a_later_one_is_after_a_pause() -> None:
    desk, setback = Desk(), Setback.of(CloseReason.TIMEOUT)
    desk.rejoining.seek(desk.island)
    desk.rejoining.outcome(desk.island, setback)
    assert (desk.lifecycle.state, desk.lifecycle.setback) == (RoomState.CLOSING, setback)
    desk = Desk()
    desk.lifecycle.opened_once = True
    desk.rejoining.seek(desk.island)
    desk.rejoining.outcome(desk.island, setback)
    (told,) = desk.output.events
    assert isinstance(told, Reconnecting)
    assert (told.room, told.attempt, desk.output.counters["returns"]) == ("island", 1, 1)
    desk.rejoining.setback(desk.island, setback, told=True)
    assert desk.output.events == [told]


def test_a_scene_that_can_not_be_entered_is_over_and_the_rest_goes_on() -> None:
    desk = Desk(SimulatorAdapter("x"))
    desk.scenes.wanted = Wish("bafk", (0, 0))
    desk.rejoining.enter_scene()  # there is no wallet to ask for it with
    (told,) = desk.output.events
    assert isinstance(told, RoomClosed)
    assert (told.room, told.reason, desk.scenes.wanted) == ("scene", CloseReason.NO_WALLET, None)
    assert desk.lifecycle.state is RoomState.CONNECTING


def test_where_a_way_leads() -> None:
    desk = Desk()
    desk.rejoining.seek(desk.island)
    desk.rejoining.outcome(desk.island, Found(ArchipelagoAdapter("wss://realm.example/ws"), None))
    assert desk.islands.source is not None
    desk.rejoining.outcome(desk.island, Found(SimulatorAdapter("I1"), None))
    assert str(desk.merged.goal(RoomRole.ISLAND)) == "simulator:I1"
    assert not desk.rejoining.follow()
    offline = Desk()
    offline.rejoining.seek(offline.island)
    offline.rejoining.outcome(offline.island, Found(OfflineAdapter("offline"), None))
    (told,) = offline.output.events
    assert isinstance(told, WarningEvent)
    assert (told.code, offline.island.state) == (WarningCode.OFFLINE, StayState.IN)
