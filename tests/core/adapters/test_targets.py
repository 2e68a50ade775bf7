"""What people write where a realm or a room is meant."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rigs.core.canary import assert_no_secret, exception_texts
from rigs.core.tokens import make_token

from dcl_comms_core import (
    Adapter,
    ConnectionStringProblem,
    InvalidConnectionString,
    Limits,
    LiveKitAdapter,
    LocalProtocolError,
    OfflineAdapter,
    SimulatorAdapter,
    WorldSession,
    WsRoomAdapter,
    parse_target,
)

MAIN = "https://realm-provider.decentraland.org/main"
WORLD = "https://worlds-content-server.decentraland.org/world/plaza.dcl.eth"
P = ConnectionStringProblem


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        # By name.
        ("plaza.dcl.eth", WORLD),
        ("Plaza.dcl.eth/", WORLD),
        (" Plaza.DCL.eth\n", WORLD),
        ("my-name.eth", "https://worlds-content-server.decentraland.org/world/my-name.eth"),
        ("main", MAIN),
        ("Main", MAIN),
        # By URL.
        ("https://realm.example", "https://realm.example"),
        ("HTTPS://Realm.Example/main/about/?x=1", "https://realm.example/main"),
        (WORLD, WORLD),
        # Without its scheme.
        ("localhost:8000", "http://localhost:8000"),
        ("localhost", "http://localhost"),
        ("127.0.0.1:45253", "http://127.0.0.1:45253"),
        ("127.0.0.1/world/x", "http://127.0.0.1/world/x"),
        ("[::1]:8000/about", "http://[::1]:8000"),
        ("192.168.1.5:8000", "http://192.168.1.5:8000"),
        ("preview:8000", "http://preview:8000"),
        ("printer.local:8000", "http://printer.local:8000"),
        ("realm-provider.decentraland.org/main", MAIN),
        ("realm.example:8443", "https://realm.example:8443"),
        ("realm.example?x=1", "https://realm.example"),
        # By a link.
        ("https://decentraland.org/play/?realm=plaza.dcl.eth&position=1,2", WORLD),
        ("https://decentraland.org/play?position=1,2&REALM=plaza.dcl.eth#x", WORLD),
        ("https://play.decentraland.org/?realm=main", MAIN),
        ("https://decentraland.zone/jump/?realm=https%3A%2F%2Fpeer.example%2F", "https://peer.example"),
        ("https://decentraland.org/play/?realm=peer.example:8080/x", "https://peer.example:8080/x"),
        ("https://www.decentraland.org/places/world/?name=plaza.dcl.eth", WORLD),
        ("https://decentraland.org/play/", MAIN),
        ("https://play.decentraland.org", MAIN),
        ("decentraland://?realm=plaza.dcl.eth&position=0,0", WORLD),
        ("Decentraland://realm=http://127.0.0.1:8000&local-scene=true", "http://127.0.0.1:8000"),
        ("decentraland://open?position=1,2&realm=localhost:8000", "http://localhost:8000"),
        ("decentraland://?position=1,2", MAIN),
        # A realm of that site's is one, whatever it is asked.
        (f"{MAIN}?realm=plaza.dcl.eth", MAIN),
        # A link in a link is a realm's URL, and nothing more is read into it.
        ("decentraland://?realm=https://decentraland.org/play/?realm=main", "https://decentraland.org/play"),
    ],
)
def test_a_realm(written: str, meant: str) -> None:
    assert parse_target(written) == meant
    assert parse_target(meant) == meant or "play" in meant
    # The session takes what it takes.
    WorldSession(written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("offline", OfflineAdapter("offline")),
        ("offline:1", OfflineAdapter("1")),
        ("simulator:42", SimulatorAdapter("42")),
        ("SIMULATOR:8000", SimulatorAdapter("8000")),
        ("ws-room:realm.example/rooms/x", WsRoomAdapter("wss://realm.example/rooms/x")),
        ("decentraland://?realm=offline", OfflineAdapter("offline")),
        (SimulatorAdapter("x"), SimulatorAdapter("x")),
    ],
)
def test_an_adapter(written: str | Adapter, meant: Adapter) -> None:
    assert parse_target(written) == meant


def test_a_connection_string_with_a_token() -> None:
    assert isinstance(parse_target(f"livekit:wss://lk.example?access_token={make_token()}"), LiveKitAdapter)


@pytest.mark.parametrize(
    ("written", "problem", "words"),
    [
        ("", P.EMPTY, "a realm is given by its URL, a world by its name"),
        ("  ", P.EMPTY, "Genesis City as main"),
        ("plaza", P.NO_PROTOCOL, "a world by its name (NAME.dcl.eth)"),
        ("my world.dcl.eth", P.NO_PROTOCOL, "a world by its name"),
        ("foo:bar", P.UNKNOWN_PROTOCOL, "write http:// or https:// before it"),
        ("p2p:x", P.UNKNOWN_PROTOCOL, "p2p is gone"),
        ("https://", P.BAD_URL, "no host"),
        ("realm.example:99999", P.BAD_URL, "port"),
        ("https://decentraland.org/events", P.BAD_URL, "names no realm"),
        ("https://decentraland.org/play/?realm=foo", P.NO_PROTOCOL, "a world by its name"),
        ("https://user:word@decentraland.org/play", P.USER_INFO, ""),
        ("a\x00b", P.CONTROL_CHARACTER, ""),
        ("x" * 17_000, P.TOO_LONG, ""),
    ],
)
def test_what_is_none_says_what_would_be(written: str, problem: ConnectionStringProblem, words: str) -> None:
    with pytest.raises(InvalidConnectionString) as caught:
        parse_target(written)
    assert caught.value.problem is problem
    assert words in str(caught.value)


@pytest.mark.parametrize("before", ["", "x.", "decentraland://?realm="])
def test_a_token_alone_is_no_host_to_look_up_and_is_not_shown(before: str) -> None:
    token = make_token()
    with pytest.raises(InvalidConnectionString, match="copy the whole connection string") as caught:
        parse_target(before + token)
    assert_no_secret(token, *exception_texts(caught.value))


def test_other_things_are_misuse() -> None:
    with pytest.raises(LocalProtocolError, match="a target is a realm's URL"):
        parse_target(5)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(InvalidConnectionString):
        parse_target("simulator:" + "x" * 100, limits=Limits(connection_string_chars=50))


@given(st.text() | st.text("realm=&?/:.#%decntlap[]0@", min_size=5))
@example("decentraland://?realm=")
def test_whatever_is_written_only_that_error_is_raised(written: str) -> None:
    for text in (written, f"decentraland://{written}", f"https://decentraland.org/play?realm={written}"):
        try:
            meant = parse_target(text)
        except InvalidConnectionString:
            continue
        assert isinstance(meant, Adapter) or meant.startswith(("http://", "https://"))
