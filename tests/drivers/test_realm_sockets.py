"""A server's twin on real WebSockets: what it says goes out, what clients do comes in, its time passes."""

from __future__ import annotations

import time

import pytest
from chains import EPHEMERAL, ROOT
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from ws_rig import WsRoomService

from dcl_comms_core import (
    AuthIdentity,
    WsIdentification,
    WsPacket,
    WsPeerUpdate,
    WsSignedChallenge,
    decode_message,
    encode,
    login_payload,
)


def client(service, room="plaza"):
    return connect(service.url(room), compression=None, subprotocols=["rfc5"], close_timeout=0.2)


def say(connection, **fields):
    connection.send(encode(WsPacket(**fields)))


def hear(connection):
    return decode_message(WsPacket, connection.recv(timeout=10))


def identity(root, ephemeral=EPHEMERAL):
    expires = time.time() + 3600
    login = login_payload(ephemeral.address, expires)
    return AuthIdentity.from_signature(root.address, root.sign(login), expires=expires, signer=ephemeral)


def enter(connection, who):
    say(connection, peer_identification=WsIdentification(address=who.address))
    challenge = hear(connection).challenge_message.challenge_to_sign
    say(connection, signed_challenge_for_server=WsSignedChallenge(auth_chain_json=who.sign(challenge).to_json()))
    return hear(connection).welcome_message


def hung_up(connection):
    with pytest.raises(ConnectionClosed):
        while True:
            connection.recv(timeout=10)
    return connection.protocol.close_code


def test_a_client_is_let_in_hears_others_and_is_thrown_out(ws_rooms):
    alice, bob = (identity(EPHEMERAL.__class__(f"0x{number:064x}")) for number in (7, 8))
    with client(ws_rooms) as one, client(ws_rooms) as two, client(ws_rooms, "elsewhere") as three:
        first = enter(one, alice).alias
        assert enter(two, bob).peer_identities == {first: alice.address.lower()}
        assert hear(one).peer_join_message.address == bob.address.lower()
        assert not enter(three, identity(ROOT)).peer_identities
        say(one, peer_update_message=WsPeerUpdate(body=b"hello"))
        update = hear(two).peer_update_message
        assert (update.from_alias, update.body) == (first, b"hello")
        assert ws_rooms.kick(alice.address)
        assert not ws_rooms.kick("0x" + "00" * 20)
        assert hear(one).peer_kicked is not None
        assert hung_up(one) == 1000
        assert hear(two).peer_leave_message.alias == first


def test_garbage_and_text_are_hung_up_on(ws_rooms):
    for message in (b"\xff\xff", "text"):
        with client(ws_rooms) as one:
            one.send(message)
            assert hung_up(one) == 1000


def test_a_client_that_says_nothing_has_so_much_time():
    with WsRoomService(stage_seconds=0.2) as service, client(service) as one:
        before = time.monotonic()
        assert hung_up(one) == 1000
        assert time.monotonic() - before >= 0.15
        with client(service) as two:
            assert enter(two, identity(ROOT)).alias > 0


def test_a_client_that_does_not_read_is_hung_up_on(ws_rooms):
    with client(ws_rooms) as deaf, client(ws_rooms) as loud:
        deaf_alias = enter(deaf, identity(ROOT)).alias
        assert deaf_alias in enter(loud, identity(EPHEMERAL)).peer_identities
        left = None
        for _ in range(4_000):
            say(loud, peer_update_message=WsPeerUpdate(body=bytes(16_000)))
            try:
                left = decode_message(WsPacket, loud.recv(timeout=0)).peer_leave_message
            except TimeoutError:
                continue
            break
        assert left is not None
        assert left.alias == deaf_alias


@pytest.fixture
def ws_rooms():
    with WsRoomService() as service:
        yield service
