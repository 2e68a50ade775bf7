"""A realm whose islands are formed from Pulse: who is told of which, by which session."""

from __future__ import annotations

from typing import Any

import pytest
from rigs.core.chains import VERIFIER
from rigs.core.pulse_server import PulseNet, Walker, login

from dcl_comms_core import (
    ChallengeRequestMessage,
    ClientPacket,
    CloseReason,
    CloseSocket,
    FrameReceived,
    Heartbeat,
    LinkRef,
    RealmRules,
    RealmServer,
    RealmSettings,
    SendFrame,
    ServerPacket,
    SignedChallengeMessage,
    SocketClosed,
    decode_message,
    encode,
)
from dcl_comms_core.proto._gen.common import Position
from dcl_comms_core.pulse.reasons import DisconnectReason

URL = "http://127.0.0.1:1234"
PULSE = RealmSettings()


class Town:
    """A realm, its Pulse, and what the island service says, by socket."""

    def __init__(self, settings: RealmSettings = PULSE, **options: Any) -> None:
        self.realm = RealmServer(URL, verifier=VERIFIER, settings=settings, **options)
        self.net = PulseNet(realm=self.realm, delay=(0.0, 0.0))
        self.links = 0

    def socket(self, number: int = 0, *, phone: int = 0) -> LinkRef:
        """Somebody has a session with the island service."""
        self.links += 1
        link, identity = LinkRef(self.links, 1), login(number, phone=phone)
        assert self.realm.accept(link, "/ws", now=self.net.now)
        self.hear(link, challenge_request=ChallengeRequestMessage(identity.address))
        (hello,) = self.said(link)
        chain = identity.sign(hello.challenge_response.challenge_to_sign)
        self.hear(link, signed_challenge=SignedChallengeMessage(chain.to_json()))
        return link

    def hear(self, link: LinkRef, **packet: Any) -> None:
        self.realm.receive(FrameReceived(link=link, data=encode(ClientPacket(**packet))), now=self.net.now)

    def said(self, link: LinkRef) -> list[Any]:
        """Take what it says; what it says to others is lost."""
        return [
            decode_message(ServerPacket, command.data) if isinstance(command, SendFrame) else "closed"
            for command in self.realm.commands()
            if isinstance(command, SendFrame | CloseSocket) and command.link == link
        ]

    def islands(self, link: LinkRef) -> list[tuple[str, str | None]]:
        """The islands it was told of, and from which it comes."""
        changes = [packet.island_changed for packet in self.said(link) if packet != "closed" and packet.island_changed]
        return [(change.island_id, change.from_island_id) for change in changes]

    def walker(self, number: int = 0, parcel: tuple[int, int] = (0, 0), **options: Any) -> Walker:
        return self.net.placed(number, parcel, machine="127.0.0.1", **options)


def test_pulse_forms_the_islands_unless_told_otherwise() -> None:
    assert RealmServer(URL, verifier=VERIFIER).pulse is not None


def test_an_island_comes_of_a_session_and_a_player_of_the_same_login() -> None:
    town = Town()
    link = town.socket()
    town.said(link)
    town.walker()
    town.net.run(1.0)
    (packet,) = town.said(link)
    change = packet.island_changed
    assert (change.island_id, change.from_island_id, change.peers) == ("island-C1", None, {})
    assert change.conn_str == "ws-room:ws://127.0.0.1:1234/realm/rooms/island-C1"
    assert town.realm.islands() == {"island-C1": frozenset({login(0).address.lower()})}


def test_whichever_comes_first_and_again_when_the_socket_comes_anew() -> None:
    town = Town()
    town.walker()
    town.net.run(1.0)
    for _ in range(2):
        link = town.socket()
        assert town.islands(link) == [("island-C1", None)]
        town.realm.receive(SocketClosed(link=link, reason=CloseReason.NETWORK), now=town.net.now)


def test_two_logins_of_a_wallet_get_nothing() -> None:
    town = Town()
    link = town.socket(phone=1)
    town.walker()
    town.net.run(2.0)
    assert town.islands(link) == []
    # Its own second login does.
    link = town.socket()
    assert town.islands(link) == [("island-C1", None)]


def test_a_socket_without_a_player_and_heartbeats_alone_get_nothing() -> None:
    town = Town()
    link = town.socket()
    town.hear(link, heartbeat=Heartbeat(position=Position(x=1.0)))
    town.net.run(30.0)
    assert town.islands(link) == []
    assert town.realm.deadline() is None


def test_islands_change_by_walking_and_by_jumping() -> None:
    town = Town()
    walkers = [town.walker(number) for number in range(2)]
    links = [town.socket(number) for number in range(2)]
    town.net.run(1.0)
    town.said(links[0])
    walkers[1].move((40, 0))
    town.net.run(4.0)
    assert town.islands(links[1]) == [("island-C2", "island-C1")]
    walkers[1].teleport((0, 0))
    town.net.run(1.1)
    assert town.islands(links[1]) == [("island-C1", "island-C2")]
    assert set(town.realm.islands()) == {"island-C1"}


def test_who_left_pulse_has_no_assignment_any_more() -> None:
    town = Town()
    walker = town.walker()
    town.net.run(1.0)
    walker.party.client.disconnect()
    town.net.run(0.5)
    assert town.islands(town.socket()) == []


def test_the_realms_document_names_its_pulse() -> None:
    def comms(path: str = "/about", **options: Any) -> Any:
        server = RealmServer(URL, verifier=VERIFIER, **options)
        return server.request("GET", path, {}, b"", now=0.0).document["comms"]  # type: ignore[index]  # a page's is

    at = {"pulse_at": "127.0.0.1:7777"}
    assert comms(settings=PULSE, **at)["pulse"] == "127.0.0.1:7777"
    assert comms("/world/a.dcl.eth/about", settings=PULSE, **at)["pulse"] == "127.0.0.1:7777"
    assert "pulse" not in comms(settings=PULSE)
    assert "pulse" not in comms(settings=RealmSettings(islands="heartbeats"), **at)


def test_bans_and_kicks_are_for_all_services() -> None:
    rules = RealmRules()
    town = Town(rules=rules)
    walker, other = town.walker(), town.walker(1)
    link = town.socket()
    town.said(link)
    assert town.realm.kick(other.wallet, now=town.net.now)
    rules.banned.add(walker.wallet)
    assert town.realm.kick(walker.wallet, now=town.net.now)
    town.net.run(0.1)
    assert town.said(link)[-1] == "closed"
    assert (walker.ended, other.ended) == (DisconnectReason.BANNED, DisconnectReason.GRACEFUL)
    assert not town.realm.kick(walker.wallet, now=town.net.now)
    again = town.net.walker(0)
    again.shake()
    town.net.run(0.1)
    assert again.ended is DisconnectReason.BANNED


def test_what_its_pulse_counts_is_told_apart() -> None:
    town = Town()
    town.socket()
    town.walker()
    town.walker(1)
    town.net.run(0.1)
    counters = town.realm.counters
    assert (counters["welcomed"], counters["pulse.connected"], counters["pulse.welcomed"]) == (1, 2, 2)
    older = RealmServer(URL, verifier=VERIFIER, settings=RealmSettings(islands="heartbeats"))
    assert not [name for name in older.counters if name.startswith("pulse.")]


def test_this_machine_may_have_any_number_of_players() -> None:
    town = Town()
    for number in range(40):
        town.walker(number)
    assert town.realm.pulse is not None
    assert len(town.realm.pulse.players()) == 40


@pytest.mark.parametrize("mint", [None, lambda room, address: f"offline:{room}+{address}"])
def test_heartbeats_are_the_older_way(mint: Any) -> None:
    realm = RealmServer(URL, verifier=VERIFIER, settings=RealmSettings(islands="heartbeats"), mint=mint)
    assert realm.pulse is None
    assert (realm.islands(), realm.commands(), realm.deadline()) == ({}, [], None)
    realm.handle_timeout(1.0)
    realm.archipelago.islands.heartbeat("a", (0.0, 0.0, 0.0), now=0.0)
    realm.archipelago.islands.settle(0.0)
    assert realm.islands() == {"I1": frozenset({"a"})}
    assert not realm.kick("0x" + "aa" * 20, now=0.0)
