"""Why a connect fails: each cause provoked, each its own reason, and never a token in any text."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest
from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable, redact
from dcl_comms_drivers.livekit.reasons import DISCONNECT_REASONS, connect_failure, disconnect_reason
from dcl_comms_drivers.realm.mint import mint_admin_token, mint_token
from rigs.core.canary import assert_no_secret
from rigs.drivers.livekit import Player

from dcl_comms_core.adapters.connection_string import LiveKitAdapter
from dcl_comms_core.adapters.token import AccessToken
from dcl_comms_core.commands import CloseLink, OpenLink
from dcl_comms_core.inputs import LinkClosed, LinkFailed, LinkRef
from dcl_comms_core.states import RETRY, CloseReason, Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dcl_comms_drivers.realm.livekit_server import LiveKitServer


def of_each_engine(test: Callable[..., None]) -> Callable[..., None]:
    """Over the package's, and over our own."""
    return pytest.mark.usefixtures("each_link")(
        pytest.mark.parametrize("each_link", ["engine", "rtc"], indirect=True)(test)
    )


def failure(url: str, token: str, timeout: float = 15.0) -> LinkFailed:
    player = Player()
    player.ref = LinkRef(0, 1)
    adapter = LiveKitAdapter(url, AccessToken.parse(token))
    player.execute(OpenLink(link=player.ref, adapter=adapter))
    return player.wait(LinkFailed, timeout=timeout)


TOKENS: dict[str, Callable[[LiveKitServer], str]] = {
    "expired": lambda server: server.token("alice", "r", ttl=-60.0),
    "not yet valid": lambda server: server.token("alice", "r", now=time.time() + 3600),
    "bad signature": lambda server: mint_token(server.key, "y" * 40, "alice", "r"),
    "unknown key": lambda _: mint_token("APIother", "y" * 40, "alice", "r"),
    "no roomJoin": lambda server: server.token("alice", "r", roomJoin=False),
    "no identity": lambda server: server.token("", "r"),
}


@of_each_engine
@pytest.mark.livekit
@pytest.mark.parametrize(
    ("case", "reason", "retry"),
    [
        ("expired", CloseReason.TOKEN_EXPIRED, Retry.FRESH_CREDENTIALS),
        ("not yet valid", CloseReason.TOKEN_NOT_YET_VALID, Retry.BACKOFF),
        ("bad signature", CloseReason.AUTHENTICATION, Retry.FRESH_CREDENTIALS),
        ("unknown key", CloseReason.AUTHENTICATION, Retry.FRESH_CREDENTIALS),
        ("no roomJoin", CloseReason.PERMISSION, Retry.NEVER),
        ("no identity", CloseReason.BAD_REQUEST, Retry.NEVER),
    ],
)
def test_what_the_server_refuses(
    livekit_server: LiveKitServer, case: str, reason: CloseReason, retry: Retry, capfd: pytest.CaptureFixture[str]
) -> None:
    token = TOKENS[case](livekit_server)
    failed = failure(livekit_server.url, token)
    assert failed.reason is reason
    assert RETRY[failed.reason] is retry
    assert failed.detail
    shown = capfd.readouterr()
    assert_no_secret(token, repr(failed), failed.detail, shown.out, shown.err)
    assert shown.err == ""


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@of_each_engine
@pytest.mark.livekit
@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("ws://127.0.0.1:{port}/no/such/path", CloseReason.NOT_FOUND),
        ("wss://127.0.0.1:{port}", CloseReason.TLS),
        ("ws://127.0.0.1:{closed}", CloseReason.UNREACHABLE),
        ("ws://nowhere.invalid", CloseReason.UNREACHABLE),
    ],
    ids=["path", "tls to a plain port", "closed port", "unknown host"],
)
def test_where_no_server_answers(
    livekit_server: LiveKitServer, address: str, reason: CloseReason, capfd: pytest.CaptureFixture[str]
) -> None:
    token = livekit_server.token("alice", "r")
    failed = failure(address.format(port=livekit_server.port, closed=free_port()), token)
    assert failed.reason is reason, failed
    shown = capfd.readouterr()
    assert_no_secret(token, repr(failed), shown.out, shown.err)
    assert shown.err == ""


@contextmanager
def silent_host() -> Iterator[tuple[str, threading.Event]]:
    """A port that takes connections and never says a word; the event says that somebody came."""
    came = threading.Event()
    taken: list[socket.socket] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def accept() -> None:
            try:
                while True:
                    taken.append(server.accept()[0])
                    came.set()
            except OSError:
                return

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"ws://127.0.0.1:{server.getsockname()[1]}", came
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for each in taken:
        each.close()


@of_each_engine
@pytest.mark.livekit
def test_a_silent_host_is_given_up_when_we_say_so() -> None:
    """The overall deadline is the core's: it closes the link, and that is answered at once."""
    with silent_host() as (url, came):
        player = Player()
        player.ref = LinkRef(0, 1)
        adapter = LiveKitAdapter(url, AccessToken.parse(mint_token("k", "s", "alice", "r")))
        player.execute(OpenLink(link=player.ref, adapter=adapter))
        assert came.wait(40)
        player.execute(CloseLink(link=player.ref))
        player.turn()
        assert player.of(LinkClosed)


@pytest.mark.livekit
@pytest.mark.slow
def test_a_silent_host_is_a_timeout_in_the_end() -> None:
    with silent_host() as (url, _):
        assert failure(url, mint_token("k", "s", "alice", "r"), timeout=40.0).reason is CloseReason.TIMEOUT


# -- the words themselves


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("engine: signal failure: failed to parse the url: relative URL without a base", CloseReason.BAD_REQUEST),
        ("engine: signal failure: client error: 400 Bad Request - no room name", CloseReason.BAD_REQUEST),
        ("engine: signal failure: client error: 403 Forbidden - ", CloseReason.PERMISSION),
        ("engine: signal failure: signal connection timed out", CloseReason.TIMEOUT),
        ("engine: signal failure: transport connection error: TLS error: invalid peer certificate", CloseReason.TLS),
        ("engine: signal failure: server error: 503 Service Unavailable", CloseReason.UNREACHABLE),
        ("something new", CloseReason.UNREACHABLE),
        ("", CloseReason.UNREACHABLE),
    ],
)
def test_other_words(text: str, reason: CloseReason) -> None:
    assert connect_failure(text)[0] is reason


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("500 Internal Server Error", "a room at its max_participants answers so"),
        ("307 Temporary Redirect", "use the URL that it leads to"),
        ("301 Moved Permanently", "use the URL that it leads to"),
    ],
)
def test_a_status_that_sounds_as_if_nobody_were_there_is_explained(status: str, words: str) -> None:
    reason, detail = connect_failure(f"engine: signal failure: handshake error: {status}")
    assert reason is CloseReason.UNREACHABLE
    assert detail.startswith(f"handshake error: {status}: ")
    assert detail.endswith(words)
    assert connect_failure("engine: signal failure: handshake error: 502 Bad Gateway")[1].endswith("502 Bad Gateway")


@of_each_engine
@pytest.mark.livekit
def test_a_room_at_its_max_participants(livekit_server: LiveKitServer) -> None:
    room = f"full-{time.monotonic_ns()}"
    request = Request(  # noqa: S310 - our own server
        f"http{livekit_server.url.removeprefix('ws')}/twirp/livekit.RoomService/CreateRoom",
        json.dumps({"name": room, "max_participants": 1}).encode(),
        {
            "Authorization": f"Bearer {mint_admin_token(livekit_server.key, livekit_server.secret)}",
            "Content-Type": "application/json",
        },
    )
    with urlopen(request, timeout=10.0) as answer:  # noqa: S310 - our own server
        assert answer.status == 200
    first = Player()
    first.join(livekit_server.connection_string("alice", room))
    try:
        failed = failure(livekit_server.url, livekit_server.token("bob", room))
        assert failed.reason is CloseReason.UNREACHABLE
        assert "max_participants" in failed.detail
    finally:
        first.execute(CloseLink(link=first.ref))
        first.wait(LinkClosed)


def test_the_detail_is_without_the_engines_prefixes_and_tokens() -> None:
    token = mint_token("k", "s", "alice", "r")
    _, detail = connect_failure(f"engine: signal failure: client error: 401 Unauthorized - invalid token: {token}, x")
    assert detail == "401 Unauthorized - invalid token: ***, x"


@pytest.mark.parametrize("around", ["{}", "a {} b", "({})", "ws://h?access_token={}", "ws://h?access_token={}&x=1"])
def test_redaction_finds_a_token_anywhere(around: str) -> None:
    token = mint_token("k", "s", "alice", "r")
    text = redact(around.format(token))
    assert_no_secret(token, text)
    assert text == around.format("***")


def test_redaction_knows_the_token_that_was_used() -> None:
    """Whatever its issuer made it look like."""
    assert redact("invalid token: a!b!c, x", "a!b!c") == "invalid token: ***, x"


def test_redaction_leaves_other_words_alone() -> None:
    text = "data packet size (64034 bytes) exceeds 127.0.0.1:7880 livekit.example.com os error 111."
    assert redact(text) == text


def test_every_disconnect_reason_of_the_wheel_has_a_meaning() -> None:
    from dcl_comms_drivers.livekit.engine.ffi import participant_pb2

    telephony = {"USER_UNAVAILABLE", "USER_REJECTED", "SIP_TRUNK_FAILURE", "AGENT_ERROR"}
    assert set(participant_pb2.DisconnectReason.keys()) == set(DISCONNECT_REASONS) | telephony
    assert disconnect_reason("SOMETHING_NEW") is CloseReason.NETWORK


def test_a_reason_without_a_name_is_read_as_a_lost_connection() -> None:
    """The wheel's enumerations are closed: a number that it doesn't know never comes out of its parser."""
    from dcl_comms_drivers.livekit.engine.ffi import FfiEvent, parse_event, participant_pb2

    event = FfiEvent()
    event.room_event.room_handle = 1
    event.room_event.disconnected.reason = participant_pb2.SERVER_SHUTDOWN
    data = event.SerializeToString()
    assert data.endswith(b"\x03")
    reason = parse_event(data[:-1] + b"\x7f").room_event.disconnected.reason
    assert disconnect_reason(participant_pb2.DisconnectReason.Name(reason)) is CloseReason.NETWORK


def test_an_unavailable_engine_says_why() -> None:
    assert str(EngineUnavailable(EngineProblem.STOPPED)) == "the LiveKit engine has stopped"
    assert str(EngineUnavailable(EngineProblem.FORKED, "do this")).endswith("had started: do this")
