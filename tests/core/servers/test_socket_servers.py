"""The servers' twins by themselves: rules broken, bounds, hostile frames."""

from __future__ import annotations

from math import nan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs.core.chains import NOW, OTHER, ROOT, VERIFIER, identity, key

from dcl_comms_core import (
    ArchipelagoServer,
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
    SendAcknowledged,
    SendFrame,
    ServerPacket,
    SignedChallengeMessage,
    SocketClosed,
    SocketOpened,
    WsIdentification,
    WsPacket,
    WsPeerUpdate,
    WsRoomServer,
    WsSignedChallenge,
    decode_message,
    encode,
)
from dcl_comms_core.proto._gen.common import Position
from dcl_comms_core.testing.strategies import wire_bytes

A, B = LinkRef(1, 1), LinkRef(2, 1)


class Side:
    """A server and what it said, by link."""

    def __init__(self, server: Any, packet: type, *, clock: bool = True) -> None:
        self.server = server
        self.packet = packet
        if clock:
            server.receive(ClockSet(unix_offset=NOW), now=0.0)

    def accept(self, link: LinkRef = A, *, now: float = 0.0) -> None:
        if isinstance(self.server, ArchipelagoServer):
            self.server.accept(link, now=now)
        else:
            self.server.accept(link, "plaza", now=now)

    def hear(self, data: Any, link: LinkRef = A, *, now: float = 0.0) -> list[Any]:
        """Give it a frame; what it answers: messages and, at the end of a socket, its link."""
        raw = data if isinstance(data, bytes) else encode(data)
        self.server.receive(FrameReceived(link=link, data=raw), now=now)
        return self.said()

    def said(self) -> list[Any]:
        return [
            decode_message(self.packet, command.data) if isinstance(command, SendFrame) else command.link
            for command in self.server.commands()
            if isinstance(command, SendFrame | CloseSocket)
        ]

    def hello(self, address: str = ROOT.address) -> Any:
        if self.packet is ServerPacket:
            return ClientPacket(challenge_request=ChallengeRequestMessage(address))
        return WsPacket(peer_identification=WsIdentification(address))

    def proof(self, text: str) -> Any:
        if self.packet is ServerPacket:
            return ClientPacket(signed_challenge=SignedChallengeMessage(text))
        return WsPacket(signed_challenge_for_server=WsSignedChallenge(text))

    def challenge(self, link: LinkRef = A) -> str:
        (answer,) = self.hear(self.hello(), link)
        message = answer.challenge_response if self.packet is ServerPacket else answer.challenge_message
        assert message.challenge_to_sign.startswith("dcl-0.")
        return str(message.challenge_to_sign)

    def let_in(self, link: LinkRef = A, number: int = 1) -> list[Any]:
        self.accept(link)
        challenge = self.challenge(link)
        return self.hear(self.proof(identity(root=key(number)).sign(challenge).to_json()), link)


def archipelago(*, clock: bool = True, **options: Any) -> Side:
    server = ArchipelagoServer(verifier=VERIFIER, mint=lambda island, _who: f"offline:{island}", **options)
    return Side(server, ServerPacket, clock=clock)


def ws_rooms(*, clock: bool = True, **options: Any) -> Side:
    return Side(WsRoomServer(verifier=VERIFIER, **options), WsPacket, clock=clock)


BOTH = pytest.mark.parametrize("make", [archipelago, ws_rooms])


@BOTH
def test_getting_in(make: Any) -> None:
    side = make()
    (welcome,) = side.let_in()
    if make is archipelago:
        assert welcome.welcome.peer_id == ROOT.address.lower()
    else:
        assert (welcome.welcome_message.alias, welcome.welcome_message.peer_identities) == (1, {})
    assert side.server.counters["welcomed"] == 1
    assert side.server.deadline() is None


@BOTH
@pytest.mark.parametrize(
    "address", ["", "me", "0x12", ROOT.address[2:], ROOT.address + "0", " " + ROOT.address, ROOT.address + "\n"]
)
def test_addresses_are_addresses(make: Any, address: str) -> None:
    side = make()
    side.accept()
    assert side.hear(side.hello(address)) == [A]
    assert side.server.counters["refused.address"] == 1


@BOTH
@pytest.mark.parametrize("address", [ROOT.address.lower(), ROOT.address.upper()])
def test_addresses_in_any_letter_case(make: Any, address: str) -> None:
    side = make()
    side.accept()
    assert side.hear(side.hello(address))[0] != A


@BOTH
def test_steps_out_of_turn_end_it(make: Any) -> None:
    side = make()
    side.accept()
    assert side.hear(side.proof("[]")) == [A]
    side.accept()
    side.challenge()
    assert side.hear(side.hello()) == [A]
    side.accept()
    side.challenge()
    assert side.hear(side.proof("[]")) == [A]
    assert side.server.counters["refused.stage"] == 2
    assert side.server.counters["refused.chain"] == 1
    # What comes of it now is nobody's.
    assert side.hear(side.hello()) == []
    assert side.server.counters["late"] == 1


@BOTH
@pytest.mark.parametrize("chain", ["", "{}", "[]", "null", "x" * 17_000, '[{"type":"SIGNER","payload":"dcl-0.x"}]'])
def test_what_is_no_proof(make: Any, chain: str) -> None:
    side = make()
    side.accept()
    side.challenge()
    assert side.hear(side.proof(chain)) == [A]


@BOTH
def test_another_challenge_is_no_proof(make: Any) -> None:
    side = make()
    side.accept()
    challenge = side.challenge()
    assert side.hear(side.proof(identity().sign(challenge + "x").to_json())) == [A]
    side.accept()
    side.challenge()
    # Nor is an older one, though it was this server's.
    assert side.hear(side.proof(identity().sign(challenge).to_json())) == [A]


@BOTH
def test_a_link_of_the_signer_alone_is_no_proof(make: Any) -> None:
    # The real servers let it in, under the challenge as its name.
    side = make()
    side.accept()
    challenge = side.challenge()
    assert side.hear(side.proof(f'[{{"type":"SIGNER","payload":"{challenge}"}}]')) == [A]


@BOTH
def test_frames_have_their_limits(make: Any) -> None:
    side = make()
    side.accept()
    assert side.hear(b"\xff") == [A]
    side.accept()
    assert side.hear(bytes(16_385)) == [A]
    assert side.server.counters["refused.frame"] == 2
    side.let_in()
    assert side.hear(b"\xff") == [A]


@BOTH
def test_each_step_has_its_time(make: Any) -> None:
    side = make(stage_seconds=2.0)
    side.accept(A)
    side.accept(B, now=1.0)
    side.hear(side.hello(), A, now=1.5)
    assert side.server.deadline() == 3.0
    side.server.handle_timeout(2.9)
    assert side.said() == []
    side.server.handle_timeout(3.0)
    assert side.said() == [B]
    assert side.server.deadline() == 3.5
    side.server.handle_timeout(99.0)
    assert side.said() == [A]
    assert (side.server.deadline(), side.server.counters["refused.time"]) == (None, 2)


@BOTH
def test_there_is_an_end_to_sockets(make: Any) -> None:
    side = make(limits=Limits(server_sockets=1))
    side.accept(A)
    side.accept(B)
    assert side.said() == [B]
    side.server.receive(SocketClosed(link=A, reason=CloseReason.NETWORK), now=0.0)
    side.server.receive(SocketClosed(link=A, reason=CloseReason.NETWORK), now=0.0)
    side.accept(B)
    assert side.said() == []
    assert side.server.counters == {"accepted": 2, "refused.full": 1}


@BOTH
def test_misuse_is_told(make: Any) -> None:
    side = make(clock=False)
    side.accept()
    with pytest.raises(LocalProtocolError, match="this link is a client's already"):
        side.accept()
    with pytest.raises(LocalProtocolError, match="not SocketOpened"):
        side.server.receive(SocketOpened(link=A, place=Place.PUBLIC), now=0.0)
    with pytest.raises(LocalProtocolError, match="now is a finite"):
        side.server.handle_timeout(nan)
    side.server.receive(SendAcknowledged(link=A, token=0), now=0.0)
    challenge = side.challenge()
    with pytest.raises(LocalProtocolError, match="needs the wall clock"):
        side.hear(side.proof(identity().sign(challenge).to_json()))


@BOTH
def test_challenges_differ_and_come_from_the_entropy(make: Any) -> None:
    def challenges(entropy: int) -> list[str]:
        side = make(entropy=entropy)
        side.accept(A)
        side.accept(B)
        return [side.challenge(A), side.challenge(B)]

    assert challenges(1) == challenges(1) != challenges(2)
    assert len({*challenges(1), *challenges(2)}) == 4


def test_a_heartbeat_without_a_position_is_ignored_and_one_before_the_welcome_ends_it() -> None:
    side = archipelago()
    side.let_in()
    assert side.hear(ClientPacket(heartbeat=Heartbeat())) == []
    assert side.hear(ClientPacket()) == []
    assert (len(side.server.islands), side.server.deadline()) == (0, None)
    side.accept(B)
    assert side.hear(ClientPacket(heartbeat=Heartbeat(position=Position())), B) == [B]


def test_the_server_says_which_island_a_peer_came_from() -> None:
    side = archipelago()
    side.let_in(A, 1)
    side.let_in(B, 2)
    side.hear(ClientPacket(heartbeat=Heartbeat(position=Position())), A)
    side.hear(ClientPacket(heartbeat=Heartbeat(position=Position(nan, 0.0, 0.0))), B)
    side.accept(LinkRef(3, 1), now=1.0)
    assert side.server.deadline() == 2.0
    side.server.handle_timeout(2.0)
    first, second = side.said()
    assert (first.island_changed.island_id, first.island_changed.from_island_id) == ("I1", None)
    # Nowhere is far from everybody.
    assert second.island_changed.island_id == "I2"
    side.hear(ClientPacket(heartbeat=Heartbeat(position=Position(), desired_room="I9")), B, now=3.0)
    side.server.handle_timeout(4.0)
    (moved,) = side.said()
    assert (moved.island_changed.island_id, moved.island_changed.from_island_id) == ("I1", "I2")
    assert set(moved.island_changed.peers) == {ROOT.address.lower(), key(2).address.lower()}


def test_an_update_is_relayed_whatever_is_in_it() -> None:
    side = ws_rooms()
    side.let_in(A, 1)
    joined = side.let_in(B, 2)
    assert (joined[0].welcome_message.alias, joined[0].welcome_message.peer_identities) == (
        2,
        {1: ROOT.address.lower()},
    )
    assert (joined[1].peer_join_message.alias, joined[1].peer_join_message.address) == (2, key(2).address.lower())
    (relayed,) = side.hear(WsPacket(peer_update_message=WsPeerUpdate(99, b"\xff", unreliable=True)), A)
    update = relayed.peer_update_message
    assert (update.from_alias, update.body, update.unreliable) == (1, b"\xff", True)
    assert side.hear(WsPacket(), A) == []
    assert side.hear(side.hello(), A) == []
    side.server.receive(SocketClosed(link=B, reason=CloseReason.NETWORK), now=0.0)
    (left,) = side.said()
    assert left.peer_leave_message.alias == 2
    assert OTHER.address.lower() not in str(side.server.rooms)


@settings(max_examples=20)
@given(frames=st.lists(wire_bytes(ClientPacket) | wire_bytes(WsPacket), max_size=6), inside=st.booleans())
@BOTH
def test_hostile_frames_raise_nothing_and_leave_nothing(make: Any, frames: list[bytes], inside: bool) -> None:
    side = make()
    if inside:
        side.let_in()
    else:
        side.accept()
    for frame in frames:
        side.hear(frame)
    side.server.handle_timeout(1_000.0)
    side.server.handle_timeout(2_000.0)
    side.server.receive(SocketClosed(link=A, reason=CloseReason.NETWORK), now=2_000.0)
    side.server.handle_timeout(3_000.0)
    assert side.server.deadline() is None
    if make is archipelago:
        assert (side.server.peers, len(side.server.islands)) == ((), 0)
    else:
        assert side.server.rooms == {}


def test_the_island_service_hangs_up_on_the_denied() -> None:
    side = archipelago(denied=lambda address: address == ROOT.address.lower())
    assert side.let_in(A, 1) == [A]
    assert side.let_in(B, 2)[0].welcome is not None
    assert side.server.counters["refused.denied"] == 1


def test_one_wallet_in_several_ws_rooms() -> None:
    side = ws_rooms(one_room=False)
    side.let_in(A)
    side.server.accept(B, "elsewhere", now=0.0)
    challenge = side.challenge(B)
    side.hear(side.proof(identity(root=key(1)).sign(challenge).to_json()), B)
    assert side.server.rooms == {"plaza": (ROOT.address.lower(),), "elsewhere": (ROOT.address.lower(),)}
    assert side.server.kick(ROOT.address, now=0.0)
    assert side.server.rooms == {}
