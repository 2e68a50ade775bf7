"""A realm from its other end: its pages, its sockets, whom it refuses."""

from __future__ import annotations

import json
from math import inf, nan
from typing import Any

import pytest
from rigs.core.chains import NOW, OTHER, ROOT, VERIFIER, identity, key

from dcl_comms_core import (
    ArchipelagoAdapter,
    ChallengeRequestMessage,
    ClientPacket,
    ClockSet,
    CloseReason,
    CloseSocket,
    FrameReceived,
    Heartbeat,
    Limits,
    LinkRef,
    LocalProtocolError,
    Place,
    RealmRules,
    RealmServer,
    RealmSettings,
    Refusal,
    RefusalReason,
    SendFrame,
    ServerPacket,
    SignedChallengeMessage,
    SignedLoginAdapter,
    SocketClosed,
    SocketOpened,
    WsIdentification,
    WsPacket,
    WsPeerUpdate,
    WsRoomAdapter,
    WsSignedChallenge,
    decode_message,
    encode,
    login_metadata,
    parse_connection_string,
    read_about,
    read_answer,
    scene_metadata,
    signed_fetch_headers,
)
from dcl_comms_core.proto._gen.common import Position

URL = "http://127.0.0.1:1234"
ME = ROOT.address.lower()
A, B, C = LinkRef(1, 1), LinkRef(2, 1), LinkRef(3, 1)


def realm(*, clock: bool = True, **options: Any) -> RealmServer:
    server = RealmServer(URL, verifier=VERIFIER, **options)
    if clock:
        server.receive(ClockSet(unix_offset=NOW), now=0.0)
    return server


def get(server: RealmServer, path: str, method: str = "GET", body: bytes = b"") -> Any:
    return server.request(method, path, {}, body, now=0.0)


def ask(server: RealmServer, path: str, metadata: Any = None, *, at: float = NOW, who: Any = None) -> Any:
    headers = signed_fetch_headers(who or identity(), "POST", URL + path, unix_now=at, metadata=metadata)
    return server.request("POST", path, headers, b"", now=0.0)


def answer(server: RealmServer, path: str, metadata: Any = None) -> Any:
    """The same as a client reads it."""
    page = ask(server, path, login_metadata() if metadata is None else metadata)
    return read_answer(page.status, dict(page.headers), page.body, unix_now=NOW)


SCENE = scene_metadata(scene_id="bafkreiQ", realm_name="main", parcel=(1, 2))


# --- pages


def test_about_leads_to_the_island_service() -> None:
    page = get(realm(settings=RealmSettings(name="plaza")), "/about?x=1")
    about = read_about(page.status, {}, page.body, url=URL, unix_now=NOW)
    assert not isinstance(about, Refusal)
    assert about.choose() == ArchipelagoAdapter("ws://127.0.0.1:1234/archipelago/ws")
    assert (about.healthy, about.accepting_users, about.users_count) == (True, True, 0)
    assert (about.name, about.lambdas_url) == ("plaza", f"{URL}/lambdas")


def test_a_worlds_about_leads_to_its_login_in_both_forms() -> None:
    page = get(realm(), "/world/Foo.dcl.eth/about")
    about = read_about(page.status, {}, page.body, url=URL, unix_now=NOW)
    assert not isinstance(about, Refusal)
    assert about.adapter == about.fixed_adapter == SignedLoginAdapter(f"{URL}/worlds/foo.dcl.eth/comms")
    assert about.name == "Foo.dcl.eth"
    assert json.loads(page.body)["comms"]["adapter"].startswith("fixed-adapter:signed-login:")


def test_about_says_how_the_realm_is() -> None:
    server = realm()
    server.rules.full = True
    assert get(server, "/about").document["acceptingUsers"] is False
    server.rules.healthy = False
    page = get(server, "/about")
    assert (page.status, page.document["healthy"], page.document["comms"]["healthy"]) == (503, False, False)


@pytest.mark.parametrize(
    ("path", "metadata", "room"),
    [
        ("/get-scene-adapter", SCENE, "scene-main:bafkreiQ"),
        ("/get-scene-adapter", SCENE | {"realmName": "Foo.dcl.ETH"}, "world-foo.dcl.eth-bafkreiq"),
        ("/worlds/Foo.dcl.eth/comms", login_metadata(), "world-foo.dcl.eth"),
        ("/worlds/Foo.dcl.eth/scenes/bafkQ/comms", login_metadata(), "world-scene-room-foo.dcl.eth-bafkq"),
        ("/get-comms-adapter/world-prd-Foo", login_metadata(), "world-prd-foo"),
    ],
)
def test_signed_requests_get_rooms(path: str, metadata: Any, room: str) -> None:
    assert answer(realm(), path, metadata) == WsRoomAdapter(f"ws://127.0.0.1:1234/realm/rooms/{room}")
    minted = realm(mint=lambda room, who: f"offline:{room}+{who}")
    assert answer(minted, path, metadata) == parse_connection_string(f"offline:{room}+{ME}")
    key_there = "adapter" if path == "/get-scene-adapter" else "fixedAdapter"
    assert list(ask(minted, path, metadata).document) == [key_there]


def test_a_rooms_name_fits_into_a_url() -> None:
    found = answer(realm(), "/get-scene-adapter", SCENE | {"sceneId": "a/b ä?#%"})
    assert found == WsRoomAdapter("ws://127.0.0.1:1234/realm/rooms/scene-main:a%2Fb%20%C3%A4%3F%23%25")


@pytest.mark.parametrize(
    ("path", "metadata", "status"),
    [
        ("/get-scene-adapter", SCENE | {"realmName": None}, 401),
        ("/get-scene-adapter", SCENE | {"realmName": ""}, 401),
        ("/get-scene-adapter", SCENE | {"sceneId": 5}, 400),
        ("/get-scene-adapter", SCENE | {"sceneId": ""}, 400),
        ("/get-scene-adapter", SCENE | {"signer": "decentraland-kernel-scene"}, 400),
        ("/worlds/foo/comms", {"signer": "decentraland-kernel-scene"}, 400),
        ("/get-comms-adapter/foo", {"signer": "dcl:explorer"}, 400),
        ("/get-comms-adapter/foo", {}, 400),
        ("/worlds/foo/comms", {"Signer": "Decentraland-Kernel-Scene"}, 400),
        ("/worlds//comms", {}, 404),
        ("/worlds/a/b/comms", {}, 404),
        ("/elsewhere", {}, 404),
    ],
)
def test_requests_that_are_wrong(path: str, metadata: Any, status: int) -> None:
    page = ask(realm(), path, metadata)
    assert page.status == status
    assert list(page.document) == ["error"]


DOORS = ["/worlds/Foo.dcl.eth/comms", "/worlds/foo.dcl.eth/scenes/bafkQ/comms", "/get-comms-adapter/world-Foo.dcl.eth"]


@pytest.mark.parametrize("path", DOORS)
def test_a_world_with_a_password(path: str) -> None:
    server = realm()
    server.rules.secrets["foo.dcl.eth"] = "sesame"
    for metadata in (login_metadata(), login_metadata(secret="Sesame"), login_metadata(secret="")):
        refused = answer(server, path, metadata)
        assert isinstance(refused, Refusal)
        assert (refused.status, refused.reason) == (403, RefusalReason.WRONG_SECRET)
    # Three were enough, for this wallet at this world.
    refused = answer(server, path, login_metadata(secret="sesame"))
    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.retry_after) == (RefusalReason.THROTTLED, 60.0)
    other = identity(root=OTHER)
    assert ask(server, path, login_metadata(secret="sesame"), who=other).status == 200
    assert ask(server, "/worlds/bar.dcl.eth/comms", login_metadata()).status == 200
    assert "sesame" not in repr(server.rules)


def test_a_minute_later_or_after_the_right_password_wrong_ones_are_forgotten() -> None:
    server = realm()
    server.rules.secrets["foo.dcl.eth"] = "sesame"

    def door(secret: str, now: float) -> int:
        headers = signed_fetch_headers(
            identity(), "POST", URL + DOORS[0], unix_now=NOW + now, metadata=login_metadata(secret=secret)
        )
        return server.request("POST", DOORS[0], headers, b"", now=now).status

    assert [door("no", 0.0), door("no", 1.0), door("sesame", 2.0)] == [403, 403, 200]
    assert [door("no", 3.0), door("no", 4.0), door("no", 5.0), door("sesame", 6.0)] == [403, 403, 403, 429]
    assert door("sesame", 62.9) == 429
    assert door("sesame", 63.0) == 200


def test_wrong_passwords_are_remembered_up_to_a_limit() -> None:
    server = realm(limits=Limits(server_secret_tries=3))
    server.rules.secrets["foo.dcl.eth"] = "sesame"
    for who in (OTHER, ROOT, ROOT, ROOT):
        assert ask(server, DOORS[0], login_metadata(), who=identity(root=who)).status == 403
    assert ask(server, DOORS[0], login_metadata(), who=identity(root=ROOT)).status == 429
    assert ask(server, DOORS[0], login_metadata(), who=identity(root=OTHER)).status == 403
    assert ask(server, DOORS[0], login_metadata(), who=identity(root=ROOT)).status == 403


def test_the_gatekeeper_lets_nobody_into_a_world_with_a_password() -> None:
    server = realm()
    server.rules.secrets["foo.dcl.eth"] = "sesame"
    metadata = scene_metadata(scene_id="bafkreiQ", realm_name="Foo.dcl.eth", parcel=(1, 2)) | {"secret": "sesame"}
    refused = answer(server, "/get-scene-adapter", metadata)
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.reason) == (401, RefusalReason.DENIED)


def test_pages_want_their_method() -> None:
    server = realm()
    assert get(server, "/about", "POST").status == 404
    assert get(server, "/get-scene-adapter").status == 404
    assert get(server, "/lambdas/profiles").status == 404


def test_who_proves_nothing_is_refused_in_the_middlewares_words() -> None:
    assert get(realm(), "/get-scene-adapter", "POST").status == 400
    assert ask(realm(), "/get-scene-adapter", SCENE, at=NOW - 61.0).status == 401
    late = ask(realm(), "/worlds/foo/comms", at=NOW - 61.0)
    read = read_answer(late.status, {}, late.body, unix_now=NOW)
    assert isinstance(read, Refusal)
    assert read.reason is RefusalReason.CLOCK


@pytest.mark.parametrize("path", ["/get-scene-adapter", "/worlds/foo/comms"])
@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"banned": {ME}}, RefusalReason.BANNED),
        ({"denied": {ME}}, RefusalReason.DENIED),
        ({"throttled": 1, "retry_after": 7.0}, RefusalReason.THROTTLED),
    ],
)
def test_whom_a_realm_refuses(path: str, rules: Any, reason: RefusalReason) -> None:
    refusal = answer(realm(rules=RealmRules(**rules)), path, SCENE)
    assert isinstance(refusal, Refusal)
    assert refusal.reason is reason
    assert refusal.retry_after == (7.0 if reason is RefusalReason.THROTTLED else None)


def test_throttling_ends_by_itself() -> None:
    server = realm(rules=RealmRules(throttled=2))
    assert [ask(server, "/worlds/foo/comms").status for _ in range(3)] == [429, 429, 200]


def test_worlds_can_be_full() -> None:
    server = realm(rules=RealmRules(full=True))
    refusal = answer(server, "/worlds/foo/comms")
    assert isinstance(refusal, Refusal)
    assert refusal.reason is RefusalReason.FULL
    assert ask(server, "/get-scene-adapter", SCENE).status == 200


def test_bans_can_be_asked_for() -> None:
    server = realm(rules=RealmRules(banned={ME}))
    assert get(server, f"/users/{ROOT.address}/bans").document == {"data": {"isBanned": True}}
    assert get(server, f"/users/{OTHER.address}/bans").document == {"data": {"isBanned": False}}


def test_profiles() -> None:
    server = realm()
    server.rules.profiles[ME] = {"avatars": [{"name": "Ada"}]}
    assert get(server, f"/lambdas/profiles/{ROOT.address}").document == {"avatars": [{"name": "Ada"}]}
    assert get(server, f"/lambdas/profiles/{OTHER.address}").status == 404
    body = json.dumps({"ids": [ROOT.address, OTHER.address, ME, 5]}).encode()
    for path in ("/lambdas/profiles", "/lambdas/profiles/"):
        assert get(server, path, "POST", body).document == [{"avatars": [{"name": "Ada"}]}]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"ids":"x"}', b"\xff"])
def test_profiles_want_ids(body: bytes) -> None:
    assert get(realm(), "/lambdas/profiles", "POST", body).status == 400


def test_without_a_wall_clock_no_signature_can_be_judged() -> None:
    with pytest.raises(LocalProtocolError, match="ClockSet"):
        ask(realm(clock=False), "/get-scene-adapter", SCENE)


# --- sockets


class Side:
    """A realm, and what it says to its sockets."""

    def __init__(self, server: RealmServer) -> None:
        self.server = server

    def hear(self, packet: Any, link: LinkRef = A, *, now: float = 0.0) -> list[Any]:
        self.server.receive(FrameReceived(link=link, data=encode(packet)), now=now)
        return self.said(type(packet))

    def said(self, kind: type) -> list[Any]:
        answers = ServerPacket if kind is ClientPacket else kind
        return [
            decode_message(answers, command.data) if isinstance(command, SendFrame) else command.link
            for command in self.server.commands()
            if isinstance(command, SendFrame | CloseSocket)
        ]

    def island_service(self, link: LinkRef = A, number: int = 1) -> list[Any]:
        who = identity(root=key(number))
        assert self.server.accept(link, "/archipelago/ws?a=b", now=0.0)
        (hello,) = self.hear(ClientPacket(challenge_request=ChallengeRequestMessage(who.address)), link)
        chain = who.sign(hello.challenge_response.challenge_to_sign)
        return self.hear(ClientPacket(signed_challenge=SignedChallengeMessage(chain.to_json())), link)

    def ws_room(self, path: str, link: LinkRef = A, number: int = 1) -> list[Any]:
        who = identity(root=key(number))
        assert self.server.accept(link, path, now=0.0)
        first = self.hear(WsPacket(peer_identification=WsIdentification(who.address)), link)
        if first[0].challenge_message is None:
            return first
        chain = who.sign(first[0].challenge_message.challenge_to_sign)
        return self.hear(WsPacket(signed_challenge_for_server=WsSignedChallenge(chain.to_json())), link)


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/ws", True),
        ("/archipelago/ws?access_token=x", True),
        ("/rooms/plaza", True),
        ("/rooms/pl%20aza?x", True),
        ("/realm/rooms/I1", True),
        ("/", False),
        ("/ws/", False),
        ("/rooms", False),
        ("/rooms/", False),
        ("/rooms/a/b", False),
        ("/realm/rooms/", False),
        ("/about", False),
    ],
)
def test_where_sockets_are(path: str, there: bool) -> None:
    assert realm().accept(A, path, now=0.0) is there
    refusal = realm().upgrade(A, path, {}, now=0.0)
    assert (refusal.status if refusal else None) == (None if there else 404)


@pytest.mark.parametrize(("path", "seconds"), [("/ws", 60.0), ("/rooms/plaza", 1.0), ("/realm/rooms/I1", 60.0)])
def test_how_long_a_step_of_a_handshake_may_take(path: str, seconds: float) -> None:
    server = realm()
    assert server.accept(A, path, now=5.0)
    assert server.deadline() == 5.0 + seconds


def test_islands_of_heartbeats_lead_to_rooms() -> None:
    side = Side(realm(settings=RealmSettings(islands="heartbeats")))
    (welcome,) = side.island_service()
    assert welcome.welcome.peer_id == ME
    assert get(side.server, "/about").document["comms"]["usersCount"] == 1
    assert side.hear(ClientPacket(heartbeat=Heartbeat(position=Position(x=1.0)))) == []
    due = side.server.deadline()
    assert due == 2.0
    side.server.handle_timeout(due)
    (change,) = side.said(ClientPacket)
    assert change.island_changed.conn_str == "ws-room:ws://127.0.0.1:1234/realm/rooms/I1"
    assert side.server.counters["welcomed"] == 1


def test_settings_reach_the_islands_of_heartbeats() -> None:
    settings = RealmSettings(islands="heartbeats", prefix="isle-", flush_seconds=1.0, join=5.0, leave=6.0, max_peers=7)
    side = Side(realm(settings=settings))
    side.island_service(A, 1)
    side.island_service(B, 2)
    for link, x in ((A, 0.0), (B, 5.5)):
        side.hear(ClientPacket(heartbeat=Heartbeat(position=Position(x=x))), link)
    side.server.handle_timeout(1.0)
    assert [change.island_changed.island_id for change in side.said(ClientPacket)] == ["isle-1", "isle-2"]
    assert side.server.rooms.max_users == 7


def test_rooms_are_of_three_services() -> None:
    """A wallet is in one room of the first; in each room of the realm's own once."""
    side = Side(realm())
    (welcome,) = side.ws_room("/rooms/one", A)
    assert welcome.welcome_message.alias == 1
    assert side.ws_room("/realm/rooms/one", B)[0].welcome_message.alias == 1
    assert side.ws_room("/realm/rooms/two", C)[0].welcome_message.alias == 2
    assert side.server.own_rooms.rooms == {"one": (ME,), "two": (ME,)}
    kicked, gone, again = side.ws_room("/rooms/two", LinkRef(4, 1))
    assert (kicked.peer_kicked is not None, gone, again.welcome_message.alias) == (True, A, 2)
    # The same room of the realm's own, once more.
    kicked, gone, again = side.ws_room("/realm/rooms/two", LinkRef(5, 1))
    assert (kicked.peer_kicked is not None, gone, again.welcome_message.alias) == (True, C, 3)
    assert side.server.kick(ROOT.address, now=0.0)
    assert (side.server.own_rooms.rooms, side.server.rooms.rooms) == ({}, {})
    assert not side.server.kick(ROOT.address, now=0.0)


def test_packets_stay_in_their_room() -> None:
    side = Side(realm())
    side.ws_room("/realm/rooms/one", A, 1)
    side.ws_room("/realm/rooms/one", B, 2)
    side.ws_room("/realm/rooms/two", C, 3)
    (update,) = side.hear(WsPacket(peer_update_message=WsPeerUpdate(body=b"x")))
    assert (update.peer_update_message.from_alias, update.peer_update_message.body) == (1, b"x")


@pytest.mark.parametrize("path", ["/rooms/a", "/realm/rooms/a"])
@pytest.mark.parametrize("rules", [RealmRules(banned={ME}), RealmRules(denied={ME})])
def test_ws_rooms_hang_up_on_whom_they_do_not_want(path: str, rules: RealmRules) -> None:
    side = Side(realm(rules=rules))
    assert side.ws_room(path) == [A]
    assert side.server.counters["refused.denied"] == 1


def test_the_island_service_kicks_the_banned_and_hangs_up_on_the_denied() -> None:
    kicked, gone = Side(realm(rules=RealmRules(banned={ME}))).island_service()
    assert (kicked.kicked is not None, gone) == (True, A)
    assert Side(realm(rules=RealmRules(denied={ME}))).island_service() == [A]


def test_full_ws_rooms_kick_instead_of_challenging() -> None:
    side = Side(realm(rules=RealmRules(full=True)))
    kicked, gone = side.ws_room("/rooms/a")
    assert (kicked.peer_kicked is not None, gone) == (True, A)
    side.server.rules.full = False
    assert side.ws_room("/rooms/a", B)[0].welcome_message is not None


def test_who_is_gone_is_forgotten() -> None:
    side = Side(realm())
    side.island_service()
    side.server.receive(SocketClosed(link=A, reason=CloseReason.NETWORK), now=0.0)
    assert side.server.archipelago.peers == ()
    side.server.receive(SocketClosed(link=A, reason=CloseReason.NETWORK), now=0.0)
    assert side.hear(ClientPacket(heartbeat=Heartbeat(position=Position()))) == []
    # Its link may be another's now.
    assert side.ws_room("/rooms/a")[0].welcome_message is not None


def test_a_realm_takes_what_servers_take() -> None:
    with pytest.raises(LocalProtocolError, match="a realm takes"):
        realm().receive(SocketOpened(link=A, place=Place.LOOPBACK), now=0.0)


@pytest.mark.parametrize("offset", [nan, inf])
def test_a_wall_clock_that_is_none_is_refused_and_no_request_is_judged_by_it(offset: float) -> None:
    server = realm(clock=False)
    with pytest.raises(LocalProtocolError, match="finite"):
        server.receive(ClockSet(unix_offset=offset), now=0.0)
    with pytest.raises(LocalProtocolError, match="needs the wall clock"):
        ask(server, "/get-scene-adapter", {})
