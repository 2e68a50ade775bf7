"""Clients that break the rules are refused, and cost the realm nothing: everybody else is served as before."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest
from rigs.core.chains import EPHEMERAL, key
from rigs.drivers.realm import realm, settle, tour, wallet
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from dcl_comms_core import (
    ChallengeRequestMessage,
    ClientPacket,
    Heartbeat,
    Limits,
    RoomOpened,
    ServerPacket,
    SignedChallengeMessage,
    WsIdentification,
    WsPacket,
    WsPeerUpdate,
    WsSignedChallenge,
    decode_message,
    encode,
    signed_fetch_headers,
)

SHORT = Limits(server_request_seconds=0.3, ping_seconds=0.2, close_seconds=0.3)


@pytest.fixture(scope="module")
def shared():
    """For those whose time does not matter: a busy machine may give a client none for seconds."""
    with realm(hosts=["x"], ws_room_stage_seconds=40.0) as one:
        yield one
        still_well(one)


@pytest.fixture(scope="module")
def hasty():
    """For those who are to be hung up on."""
    with realm(limits=SHORT, hosts=["x"], archipelago_stage_seconds=1.0, ws_room_stage_seconds=1.0) as one:
        yield one


def still_well(one):
    async def scenario(t):
        await settle(t, wallet(77)).expect(RoomOpened, room="island")

    tour("asyncio", one, scenario)


def dial(one):
    connection = socket.create_connection(("127.0.0.1", int(one.url.rpartition(":")[2])), 40)
    connection.settimeout(40)
    return connection


def send(one, data):
    """Send bytes, and read until the server hangs up."""
    with closing(dial(one)) as connection:
        connection.sendall(data)
        return read_all(connection)


def read_all(connection):
    answer = b""
    try:
        while piece := connection.recv(65_536):
            answer += piece
    except ConnectionResetError:
        pass
    return answer


def post(path, body=b"", **headers):
    given = {"host": "x", "content-length": len(body)} | {name.replace("_", "-"): v for name, v in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value is not None)
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer else None


# --- requests


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        post("/lambdas/profiles", content_length="-1"),
        post("/lambdas/profiles", content_length="x"),
        post("/lambdas/profiles", content_length=None, transfer_encoding="chunked") + b"zz\r\n",
    ],
)
def test_garbage(shared, data):
    assert status(send(shared, data)) == 400


def test_a_head_without_end(shared):
    endless = b"GET /about HTTP/1.1\r\nhost: x\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(4_000))
    assert status(send(shared, endless)) in {400, 431, None}


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_head_has_so_many_lines_and_no_more(shared, end):
    """Each takes as long as a whole request does."""

    def asked(lines):
        return end.join((b"GET /about HTTP/1.1", b"host: x", *[b"a:"] * (lines - 3), b"", b""))

    assert status(send(shared, asked(128))) == 200
    assert status(send(shared, asked(129))) == 431
    # The body's are its own.
    assert status(send(shared, post("/lambdas/profiles", b'{"ids":[' + b"\n" * 1_000 + b"]}"))) == 200


@pytest.mark.parametrize("size", [65_537, 10**12])
def test_huge_bodies_are_not_read(shared, size):
    """Said to be huge, or huge without a word."""
    assert status(send(shared, post("/lambdas/profiles", content_length=size))) == 413
    chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"
    chunked = post("/lambdas/profiles", content_length=None, transfer_encoding="chunked") + 2 * chunk
    assert status(send(shared, chunked)) == 413


def test_the_largest_body_is_read(shared):
    body = json.dumps({"ids": []}).encode().ljust(65_536)
    assert status(send(shared, post("/lambdas/profiles", body))) == 200


@pytest.mark.parametrize(
    "data", [b"", b"GET", b"GET /about HTTP/1.1\r\nhost: x\r\n", post("/lambdas/profiles", content_length=10)]
)
def test_who_is_slow_is_hung_up_on(hasty, data):
    assert send(hasty, data) == b""


def test_who_drips_is_hung_up_on(hasty):
    with closing(dial(hasty)) as connection, pytest.raises(OSError):
        for byte in b"GET /about HTTP/1.1\r\nhost: " + b"x" * 1_000:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)


def test_who_hangs_up_half_way_is_forgotten(shared):
    for data in (b"GET /about", post("/lambdas/profiles", content_length=10)):
        dial(shared).close()
        with closing(dial(shared)) as connection:
            connection.sendall(data)


def test_connections_have_a_limit():
    with realm(limits=Limits(server_connections=8), hosts=["x"]) as one, ExitStack() as stack:
        held = [stack.enter_context(closing(dial(one))) for _ in range(8)]
        time.sleep(0.2)
        assert send(one, b"") == b""
        held[0].close()
        end = time.monotonic() + 40
        while status(send(one, b"GET /about HTTP/1.1\r\nhost: x\r\n\r\n")) != 200:
            assert time.monotonic() < end


def signed(one, who, path="/get-scene-adapter", *, at=0.0, **changes):
    metadata = {"realmName": "main", "sceneId": "Q"}
    made = signed_fetch_headers(who, "POST", one.url + path, unix_now=time.time() + at, metadata=metadata)
    return {name.replace("-", "_"): value for name, value in made.items()} | changes


def test_signatures_that_prove_nothing(shared):
    path = "/get-scene-adapter"
    me, other = wallet(1), wallet(2)
    assert status(send(shared, post(path, **signed(shared, me)))) == 200
    assert status(send(shared, post(path))) == 400
    assert status(send(shared, post(path, **signed(shared, me, at=-70.0)))) == 401
    assert status(send(shared, post(path, **signed(shared, me, "/worlds/foo/comms")))) == 401
    mixed = signed(shared, me, x_identity_auth_chain_0=signed(shared, other)["x_identity_auth_chain_0"])
    assert status(send(shared, post(path, **mixed))) == 401
    assert status(send(shared, post(path, **signed(shared, me, x_identity_metadata='{"realmName":"x"}')))) == 401
    # A link twice: both values count as one, which is no JSON.
    twice = post(path, **signed(shared, me)).replace(b"\r\n\r\n", b"\r\nx-identity-auth-chain-0: {}\r\n\r\n")
    assert status(send(shared, twice)) == 400


# --- sockets


def open_socket(one, path="/archipelago/ws", **settings):
    return connect(one.url.replace("http", "ws") + path, compression=None, close_timeout=0.1, **settings)


def ended(connection):
    """The close code: 1005 for an empty frame, 1006 for none."""
    with pytest.raises(ConnectionClosed):
        while True:
            connection.recv(timeout=40)
    return 1006 if connection.protocol.close_rcvd is None else connection.protocol.close_rcvd.code


def hear(connection, kind=ServerPacket):
    return decode_message(kind, connection.recv(timeout=40))


def hello(who):
    return encode(ClientPacket(challenge_request=ChallengeRequestMessage(who.address)))


def proof(text):
    return encode(ClientPacket(signed_challenge=SignedChallengeMessage(text)))


@pytest.mark.parametrize("path", ["/", "/ws/", "/rooms", "/rooms/", "/rooms/a/b", "/about"])
def test_sockets_where_there_are_none(shared, path):
    with pytest.raises(InvalidStatus) as refused:
        open_socket(shared, path)
    assert refused.value.response.status_code == 404


def test_half_a_handshake_is_an_answer_and_an_end(shared):
    head = b"GET /ws HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n\r\n"
    assert status(send(shared, head)) in {400, 426}
    old = b"GET /ws HTTP/1.0\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
    assert status(send(shared, old)) != 101


def test_a_subprotocol_is_echoed_and_none_is_needed(shared):
    with open_socket(shared, subprotocols=["archipelago", "x"]) as one, open_socket(shared) as two:
        assert (one.subprotocol, two.subprotocol) == ("archipelago", None)


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xff",
        "text",
        encode(ClientPacket(heartbeat=Heartbeat())),
        encode(ClientPacket(challenge_request=ChallengeRequestMessage("0x12"))),
        proof("[]"),
        encode(WsPacket(peer_update_message=WsPeerUpdate(body=b"x"))),
    ],
)
@pytest.mark.parametrize("path", ["/archipelago/ws", "/rooms/a"])
def test_first_words_that_are_none(shared, path, frame):
    with open_socket(shared, path) as connection:
        connection.send(frame)
        assert ended(connection) == 1005


@pytest.mark.parametrize(
    "answer",
    [
        lambda challenge: wallet(1).sign(challenge + "x").to_json(),
        lambda challenge: wallet(1).sign("dcl-0.another").to_json(),
        lambda challenge: json.dumps([{"type": "SIGNER", "payload": challenge, "signature": ""}]),
        lambda challenge: "[" * 10_000,
        lambda challenge: "",
        lambda challenge: wallet(1).sign(challenge).to_json().replace("0x", "0y"),
        lambda challenge: wallet(1).sign(challenge).to_json().replace(wallet(1).address, "0x" + "0" * 40, 1),
    ],
)
def test_proofs_that_prove_nothing(shared, answer):
    with open_socket(shared) as connection:
        connection.send(hello(wallet(1)))
        connection.send(proof(answer(hear(connection).challenge_response.challenge_to_sign)))
        assert ended(connection) == 1005


def test_a_challenge_counts_once(shared):
    me = wallet(1)
    with open_socket(shared) as one, open_socket(shared) as two:
        one.send(hello(me))
        chain = me.sign(hear(one).challenge_response.challenge_to_sign).to_json()
        one.send(proof(chain))
        assert hear(one).welcome is not None
        two.send(hello(me))
        hear(two)
        two.send(proof(chain))
        assert ended(two) == 1005
        # Nor twice in the same session.
        one.send(proof(chain))
        assert ended(one) == 1005


def test_an_expired_login_is_refused(shared):
    from rigs.core.chains import identity

    late = identity(root=key(1), ephemeral=EPHEMERAL, expires=time.time() - 1.0)
    with open_socket(shared) as connection:
        connection.send(hello(late))
        connection.send(proof(late.sign(hear(connection).challenge_response.challenge_to_sign).to_json()))
        assert ended(connection) == 1005


def test_who_says_nothing_has_so_much_time(hasty):
    before = time.monotonic()
    with open_socket(hasty) as connection:
        assert ended(connection) == 1005
    assert time.monotonic() - before >= 0.9


@pytest.mark.parametrize(("size", "fits"), [(16_360, True), (16_392, False)])
def test_messages_have_a_limit(shared, size, fits):
    """Beyond it the connection is cut without a close frame, as by the real services."""
    me, other = wallet(3), wallet(4)
    with open_socket(shared, "/rooms/sizes") as connection, open_socket(shared, "/rooms/sizes") as listener:
        enter(listener, other)
        enter(connection, me)
        hear(listener, WsPacket)
        connection.send(encode(WsPacket(peer_update_message=WsPeerUpdate(body=bytes(size)))))
        if fits:
            assert len(hear(listener, WsPacket).peer_update_message.body) == size
        else:
            assert ended(connection) == 1006
            assert hear(listener, WsPacket).peer_leave_message is not None


def enter(connection, who):
    connection.send(encode(WsPacket(peer_identification=WsIdentification(who.address))))
    chain = who.sign(hear(connection, WsPacket).challenge_message.challenge_to_sign)
    connection.send(encode(WsPacket(signed_challenge_for_server=WsSignedChallenge(chain.to_json()))))
    return hear(connection, WsPacket).welcome_message


def test_fragments_do_not_add_up_to_more(shared):
    with open_socket(shared) as connection:
        # More than all buffers on the way hold: who is cut off learns it when the next byte does not fit.
        with pytest.raises(ConnectionClosed):
            connection.send(bytes(1_000) for _ in range(100_000))
        assert ended(connection) == 1006


def test_frames_that_are_none(shared):
    with open_socket(shared) as connection:
        connection.socket.sendall(b"\xff\xff\xff\xff")
        assert ended(connection) == 1006


def test_who_does_not_read_loses_messages_and_holds_up_nobody():
    with (
        realm(limits=Limits(server_queue_bytes=65_536)) as one,
        open_socket(one, "/rooms/deaf") as deaf,
        open_socket(one, "/rooms/deaf") as loud,
        open_socket(one, "/rooms/deaf") as third,
    ):
        enter(deaf, wallet(1))
        enter(loud, wallet(2))
        enter(third, wallet(3))
        before = memory()
        update = encode(WsPacket(peer_update_message=WsPeerUpdate(body=bytes(16_000))))
        heard = 0
        for number in range(800):
            loud.send(update)
            if number % 8 == 7:
                for _ in range(8):
                    heard += hear(third, WsPacket).peer_update_message is not None
        assert heard == 800
        assert memory() - before < 20_000_000
        assert one.counters["relayed"] == 800
        assert one.dropped > 50


def memory():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096


HEAD = (
    b"GET /rooms/a HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def test_pings_without_end_are_not_kept():
    """Pongs wait for the client to read; while they do, nothing more is read from it."""
    with realm(hosts=["x"]) as one, closing(dial(one)) as connection:
        connection.sendall(HEAD)
        before, sent = memory(), 0
        pings = (b"\x89\xfd\x00\x00\x00\x00" + bytes(125)) * 1_000
        connection.settimeout(1.0)
        with pytest.raises(TimeoutError):
            while sent < 100_000_000:
                sent += connection.send(pings)
        assert memory() - before < 20_000_000
        still_well(one)


def test_a_silent_client_is_pinged_and_then_cut_off():
    """A client that is there answers pings, whatever its program does; one that is gone does not."""
    hello = HEAD.replace(b"/rooms/a", b"/ws")  # whose handshake may take a minute
    with realm(limits=replace(SHORT, ping_seconds=1.0), hosts=["x"]) as one, closing(dial(one)) as connection:
        connection.sendall(hello)
        heard = b""
        for pings in range(1, 5):
            while heard.count(b"\x89\x00") < pings:
                piece = connection.recv(65_536)
                assert piece, "cut off, though it answers"
                heard += piece
            connection.sendall(b"\x8a\x80\x00\x00\x00\x00")
    with realm(limits=SHORT, hosts=["x"]) as one:
        answer = send(one, hello)
        assert status(answer) == 101
        assert answer.endswith(b"\x89\x00\x89\x00")


def test_who_ignores_that_it_was_hung_up_on_is_cut_off(hasty):
    # A message of one byte, which is no packet, in the same breath.
    answer = send(hasty, HEAD + b"\x82\x81\x00\x00\x00\x00\xff")
    assert answer.endswith(b"\x88\x00")
