"""Connection strings to Adapters and back: the table of the rules."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
from typing import Any

import pytest
from rigs.core.canary import assert_no_secret, exception_texts
from rigs.core.tokens import make_token, sign_token

from dcl_comms_core.adapters.connection_string import (
    Adapter,
    ArchipelagoAdapter,
    LiveKitAdapter,
    OfflineAdapter,
    SignedLoginAdapter,
    SimulatorAdapter,
    WsRoomAdapter,
    parse_connection_string,
)
from dcl_comms_core.adapters.token import AccessToken
from dcl_comms_core.errors import (
    ConnectionStringProblem,
    InvalidConnectionString,
    InvalidToken,
    LocalProtocolError,
)
from dcl_comms_core.limits import Limits

P = ConnectionStringProblem
NOW = 1_800_000_000.0
T = make_token(now=NOW)
TOKEN = AccessToken.parse(T)


def livekit(text: str) -> LiveKitAdapter:
    adapter = parse_connection_string(text)
    assert isinstance(adapter, LiveKitAdapter)
    return adapter


def refused(text: Any, **kwargs: Any) -> InvalidConnectionString:
    with pytest.raises(InvalidConnectionString) as caught:
        parse_connection_string(text, **kwargs)
    assert_no_secret(T, *exception_texts(caught.value))
    assert caught.value.__context__ is caught.value.__cause__ is None
    return caught.value


# --- the URL of each protocol

WEBSOCKET_URLS = [
    ("wss://h", "wss://h"),
    ("ws://h", "ws://h"),
    ("https://h", "wss://h"),
    ("http://h", "ws://h"),
    ("WSS://H.Example.COM/Path", "wss://h.example.com/Path"),
    ("HtTp://h", "ws://h"),
    ("h", "wss://h"),
    ("h:7880", "wss://h:7880"),
    ("localhost:7880/rtc/", "wss://localhost:7880/rtc/"),
    ("livekit_server", "wss://livekit_server"),
    ("host.", "wss://host."),
    ("ws://h:80", "ws://h:80"),
    ("wss://h:443/", "wss://h:443/"),
    ("ws://h:00080", "ws://h:80"),
    ("wss://h:65535/a/b//c", "wss://h:65535/a/b//c"),
    ("wss://h/a%20b/%C3%A9/\u00e9", "wss://h/a%20b/%C3%A9/\u00e9"),
    ("wss://h/a:b@c", "wss://h/a:b@c"),
    ("h/x://y", "wss://h/x://y"),
    ("wss://127.0.0.1:7880", "wss://127.0.0.1:7880"),
    ("10.0.0.1", "wss://10.0.0.1"),
    ("wss://[::1]:7880/x", "wss://[::1]:7880/x"),
    ("[FE80::1]", "wss://[fe80::1]"),
    ("wss://[::ffff:1.2.3.4]", "wss://[::ffff:1.2.3.4]"),
    ("wss://B\u00dccher.example", "wss://xn--bcher-kva.example"),
    ("wss://b\u00fccher\u3002example:1/", "wss://xn--bcher-kva.example:1/"),
    ("wss://xn--bcher-kva.example", "wss://xn--bcher-kva.example"),
    ("wss://" + "a" * 63 + ".example", "wss://" + "a" * 63 + ".example"),
]


@pytest.mark.parametrize(("written", "url"), WEBSOCKET_URLS)
def test_websocket_urls(written: str, url: str) -> None:
    assert parse_connection_string(f"livekit:{written}?access_token={T}") == LiveKitAdapter(url, TOKEN)
    assert parse_connection_string(f"ws-room:{written}") == WsRoomAdapter(url=url)
    assert parse_connection_string(f"archipelago:{written}#frag?ment") == ArchipelagoAdapter(url=url)
    assert livekit(f"livekit:{written}?access_token={T}#x").url == url
    assert WsRoomAdapter(written).url == url


@pytest.mark.parametrize(
    ("text", "adapter"),
    [
        ("ws-room:h/rooms/x?", WsRoomAdapter("wss://h/rooms/x")),
        ("ws-room:ws://h/rooms/x?a=b+c%20&access_token=q#f", WsRoomAdapter("ws://h/rooms/x?a=b+c%20&access_token=q")),
        ("ws-room:https://h?x", WsRoomAdapter("wss://h?x")),
        ("archipelago:wss://h/ws", ArchipelagoAdapter("wss://h/ws")),
        ("archipelago:h/ws", ArchipelagoAdapter("wss://h/ws")),
        ("archipelago:http://h:1/ws?q", ArchipelagoAdapter("ws://h:1/ws?q")),
        ("signed-login:https://H:8/worlds/A.eth/comms#f", SignedLoginAdapter("https://h:8/worlds/A.eth/comms")),
        ("signed-login:HTTP://h/x?y=z", SignedLoginAdapter("http://h/x?y=z")),
        ("offline:offline", OfflineAdapter("offline")),
        ("offline:", OfflineAdapter("")),
        ("OFFLINE:a b:c?d#e", OfflineAdapter("a b:c?d#e")),
        ("offline: livekit:x ", OfflineAdapter("livekit:x")),
        ("simulator:", SimulatorAdapter("")),
        ("simulator:seed=1&loss=0.1", SimulatorAdapter(detail="seed=1&loss=0.1")),
        (" \t\r\nws-room:h\n", WsRoomAdapter("wss://h")),
        ("Ws-Room:h", WsRoomAdapter("wss://h")),
        (f"LIVEKIT:wss://h?access_token={T}", LiveKitAdapter("wss://h", token=TOKEN)),
        # wrappers
        ("fixed-adapter:offline:offline", OfflineAdapter("offline")),
        ("Fixed-Adapter:FIXED-adapter:ws-room:h", WsRoomAdapter("wss://h")),
        ("fixed-adapter:signed-login:https://h/x", SignedLoginAdapter("https://h/x")),
        ("archipelago:archipelago:wss://h/ws", ArchipelagoAdapter("wss://h/ws")),
        ("archipelago:Archipelago:h", ArchipelagoAdapter("wss://h")),
        ("archipelago:fixed-adapter:offline:x", OfflineAdapter("x")),
        (f"archipelago:livekit:h?access_token={T}", LiveKitAdapter("wss://h", TOKEN)),
        ("fixed-adapter:archipelago:archipelago:ws://h", ArchipelagoAdapter("ws://h")),
        ("fixed-adapter:" * 4 + "offline:", OfflineAdapter("")),
        ("archipelago:" * 5 + "h", ArchipelagoAdapter("wss://h")),
        ("archipelago:offline", ArchipelagoAdapter("wss://offline")),  # no colon behind it: a host, not a protocol
    ],
)
def test_adapters(text: str, adapter: Adapter) -> None:
    parsed = parse_connection_string(text)
    assert parsed == adapter
    assert type(parsed) is type(adapter)
    assert parse_connection_string(parsed.to_connection_string()) == adapter


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", P.EMPTY),
        (" \r\n\t", P.EMPTY),
        ("livekit", P.NO_PROTOCOL),
        (":wss://h", P.NO_PROTOCOL),
        (T, P.NO_PROTOCOL),
        ("fixed-adapter:", P.NO_PROTOCOL),
        ("fixed-adapter:h", P.NO_PROTOCOL),
        ("wss://h", P.UNKNOWN_PROTOCOL),
        (f"https://h?access_token={T}", P.UNKNOWN_PROTOCOL),
        ("p2p:island.1", P.UNKNOWN_PROTOCOL),
        ("livekit :wss://h", P.UNKNOWN_PROTOCOL),
        ("live\u212ait:wss://h", P.UNKNOWN_PROTOCOL),  # a Kelvin sign, whose lower case is k
        (f"{T}:x", P.UNKNOWN_PROTOCOL),
        ("fixed-adapter:" * 5 + "offline:", P.TOO_MANY_WRAPPERS),
        ("archipelago:" * 6 + "h", P.TOO_MANY_WRAPPERS),
        ("archipelago:" * 1000 + "h", P.TOO_MANY_WRAPPERS),
        ("ws-room:h\x00", P.CONTROL_CHARACTER),
        ("ws-room:h/a\nb", P.CONTROL_CHARACTER),
        ("ws-room:h/a\tb", P.CONTROL_CHARACTER),
        ("\x7fws-room:h", P.CONTROL_CHARACTER),
        ("offline:\x85x", P.CONTROL_CHARACTER),
        ("offline:\x1b[2J", P.CONTROL_CHARACTER),
        (f"livekit:h?access_token={T}&x=\x9b", P.CONTROL_CHARACTER),
        ("offline:\ud800", P.NOT_TEXT),
        (f"livekit:h?access_token={T}&x=\udfff", P.NOT_TEXT),
        (b"offline:", P.NOT_TEXT),
        (None, P.NOT_TEXT),
        (7, P.NOT_TEXT),
        (TOKEN, P.NOT_TEXT),
        ("signed-login:h/x", P.BAD_URL),
        ("signed-login:wss://h/x", P.BAD_URL),
        ("signed-login:", P.BAD_URL),
        ("signed-login:https://", P.BAD_URL),
        ("signed-login:https://u@h", P.USER_INFO),
        ("livekit:wss://h", P.NO_TOKEN),
        ("livekit:wss://h?", P.NO_TOKEN),
        ("livekit:wss://h?token=x&Access_Token=y", P.NO_TOKEN),
        (f"livekit:wss://h#?access_token={T}", P.NO_TOKEN),
        ("livekit:wss://h?access_token", P.EMPTY_TOKEN),
        ("livekit:wss://h?access_token=", P.EMPTY_TOKEN),
        ("livekit:wss://h?access_token=&access_token=%20", P.EMPTY_TOKEN),
        ("livekit:wss://h?access_token=x.y.z", P.NOT_A_JWT),
        (f"livekit:wss://h?access_token={T}.x", P.NOT_A_JWT),
        (f"livekit:wss://h?access_token=+{T}", P.NOT_A_JWT),  # plus is no space
        (f"livekit:wss://h?access_token=bad&access_token={T}", P.NOT_A_JWT),  # the first that isn't empty counts
        (f"livekit:wss://h?access_token={T[:-1]}%00", P.NOT_A_JWT),
        ("livekit:wss://h?access_token=" + sign_token({"video": {"roomJoin": True}}), P.NO_ROOM),
        (f"livekit:wss://user:{T[-40:]}@h", P.USER_INFO),
        (f"livekit:wss://h h?access_token={T}", P.BAD_URL),
        (f"livekit:?access_token={T}", P.BAD_URL),
        (f"livekit:h&access_token={T}", P.BAD_URL),
        (f"livekit:{T}", P.BAD_URL),
        ("livekit:", P.BAD_URL),
    ],
)
def test_refused(text: Any, problem: ConnectionStringProblem) -> None:
    error = refused(text)
    assert error.problem is problem
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "wss://",
        "wss:///path",
        "//h",
        "/path",
        "?query",
        "ftp://h",
        "wss:h",
        "wss:/h",
        "wss://h:",
        "wss://h:/",
        "wss://h:0",
        "wss://h:65536",
        "wss://h:123456789012",
        "wss://h:-1",
        "wss://h:+1",
        "wss://h:1a",
        "wss://h:\u0661",
        "wss://h:1:2",
        "wss://:80",
        "wss://::1",
        "wss://[::1",
        "wss://::1]",
        "wss://[::1]80",
        "wss://[::1]:",
        "wss://[::1]]",
        "wss://[]",
        "wss://[1.2.3.4]",
        "wss://[::g]",
        "wss://[fe80::1%25eth0]",
        "wss://[::\u0661]",
        "wss://a]b",
        "wss://999.1.1.1",
        "wss://1.2.3",
        "wss://1.2.3.4.",
        "wss://12345",
        "wss://..",
        "wss://.h",
        "wss://a..b",
        "wss://h..",
        "wss://h%41",
        "wss://h!",
        "wss://h\\@x",
        "wss://h/a b",
        "wss://h/a\\b",
        "wss://h/\u00a0",
        "wss://h?a\u2028b",
        "wss://" + "a" * 64,
        "wss://" + "a." * 126 + "aa",
        "wss://\u2100.example",  # IDNA makes a/c of it
        "wss://h\uff20x",  # and @ of this
        "wss://\ufdd0\u0378",
        "wss://\u00fc" + "\u00fc" * 70,
        "wss://a\u0627b.example",  # mixed directions
        "wss://\u00ad",  # nothing at all is left of it
    ],
)
def test_bad_urls(url: str) -> None:
    assert refused(f"ws-room:{url}").problem is P.BAD_URL
    assert refused(f"archipelago:{url}").problem is P.BAD_URL
    assert refused(f"livekit:{url}{'&' if '?' in url else '?'}access_token={T}").problem is P.BAD_URL
    assert refused(f"signed-login:{url}").problem is P.BAD_URL


@pytest.mark.parametrize("url", ["wss://u:secret@h", "u@h", "wss://@h", "wss://u:p:q@h:1/x", "wss://a@b@[::1]"])
def test_user_info(url: str) -> None:
    for text in (f"ws-room:{url}", f"livekit:{url}?access_token={T}", f"archipelago:{url}"):
        error = refused(text)
        assert error.problem is P.USER_INFO
        assert "secret" not in str(error)


def test_hints() -> None:
    assert "livekit:" in refused("wss://h").detail
    assert "p2p" in refused("p2p:x").detail
    assert "archipelago, fixed-adapter, livekit" in refused("canary:x").detail
    assert "canary" not in str(refused("canary:x"))
    assert str(refused("")) == "empty"


def test_length() -> None:
    limits = Limits(connection_string_chars=20)
    assert parse_connection_string("offline:" + "x" * 12, limits=limits) == OfflineAdapter("x" * 12)
    assert refused("offline:" + "x" * 13, limits=limits).problem is P.TOO_LONG
    assert refused("offline:" + " " * 13, limits=limits).problem is P.TOO_LONG
    assert refused("offline:" + "x" * 16_384).problem is P.TOO_LONG
    # wss:// is added: what is written out again must be readable too
    assert refused("ws-room:" + "h" * 12, limits=limits).problem is P.TOO_LONG
    text = f"livekit:wss://h?access_token={T}&x="
    assert refused(text + "\u00e9" * 4, limits=Limits(connection_string_chars=len(text) + 4)).problem is P.TOO_LONG
    roomy = Limits(connection_string_chars=len(text) + 24)
    assert parse_connection_string(text + "\u00e9" * 4, limits=roomy).to_connection_string() == text + "%C3%A9" * 4


# --- livekit: the token and the other parameters


def test_the_first_token_that_is_not_empty() -> None:
    other = make_token(room="other", now=NOW)
    text = f"livekit:h?access_token=&access_token=%20&access_token={T}&access_token={other}"
    assert livekit(text) == LiveKitAdapter("wss://h", TOKEN)
    assert other not in livekit(text).to_connection_string()


def test_a_percent_encoded_token_and_name() -> None:
    encoded = "".join(f"%{ord(char):02x}" for char in T)
    assert livekit(f"livekit:h?access%5Ftoken={encoded}").token == TOKEN


def test_other_parameters_are_kept_apart() -> None:
    adapter = livekit(f"livekit:http://h:1/p?b=1&&a=x+y%2B%20%26&access_token={T}&b=2&flag&=v&=&%C3%A9=%FF")
    assert adapter.url == "ws://h:1/p"
    assert adapter.params == (
        ("b", "1"),
        ("a", "x+y+ &"),
        ("b", "2"),
        ("flag", ""),
        ("", "v"),
        ("", ""),
        ("\u00e9", "\ufffd"),
    )
    written = adapter.to_connection_string()
    expected = f"livekit:ws://h:1/p?access_token={T}&b=1&a=x%2By%2B%20%26&b=2&flag=&=v&=&%C3%A9=%EF%BF%BD"
    assert written == expected
    assert livekit(written) == adapter


def test_adapters_are_checked_when_they_are_built() -> None:
    assert LiveKitAdapter(url="HTTPS://H", token=TOKEN, params=(("a", "\x00"),)).to_connection_string() == (
        f"livekit:wss://h?access_token={T}&a=%00"
    )
    untyped: Any = LiveKitAdapter
    assert untyped("h", TOKEN, [["a", "b"]]).params == (("a", "b"),)
    for args in (
        ("h?x=1", TOKEN),
        ("u@h", TOKEN),
        (7, TOKEN),
        ("h", TOKEN, ((1, "x"),)),
        ("h", TOKEN, (("x", "\ud800"),)),
    ):
        with pytest.raises(InvalidConnectionString):
            untyped(*args)
    with pytest.raises(LocalProtocolError, match=r"AccessToken\.parse"):
        untyped("h", T)
    with pytest.raises(LocalProtocolError, match="access_token"):
        untyped("h", TOKEN, (("access_token", "x"),))
    with pytest.raises(InvalidConnectionString):
        OfflineAdapter("\n\x00")
    with pytest.raises(InvalidConnectionString):
        WsRoomAdapter("")
    untyped_base: Any = Adapter
    with pytest.raises(TypeError):
        untyped_base()


# --- secrets

ADAPTERS = [
    livekit(f"livekit:h?access_token={T}&flag={T}&{T}"),
    parse_connection_string(f"ws-room:h/rooms/x?access_token={T}"),
    parse_connection_string(f"ws-room:h/{T}/key={T[-16:]}/u:{T[-16:]}@x"),
    parse_connection_string(f"archipelago:h/ws?{T}"),
    parse_connection_string(f"signed-login:https://h/x?secret={T}"),
    parse_connection_string(f"offline:livekit:h?access_token={T}"),
    parse_connection_string(f"offline:{T}"),
    parse_connection_string(f"simulator:seed=1?{T}"),
]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.protocol)
def test_nothing_shows_a_secret(adapter: Adapter, caplog: pytest.LogCaptureFixture) -> None:
    assert T[-16:] in adapter.to_connection_string()
    shown = [str(adapter), repr(adapter), f"{adapter}", f"{adapter!r}", f"{adapter:}", repr([adapter, {1: adapter}])]
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("canary").warning("%s %r", adapter, adapter)
    assert str(adapter) in caplog.text
    assert_no_secret(T, *shown, caplog.text)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(LocalProtocolError, match="to_connection_string") as caught:
            pickle.dumps({"adapter": adapter}, protocol)
        assert_no_secret(T, *exception_texts(caught.value))
    for do in (json.dumps, lambda a: setattr(a, "url", "x"), lambda a: setattr(a, "new", "x"), lambda a: a + 1):
        with pytest.raises((TypeError, AttributeError)) as failed:
            do(adapter)
        assert_no_secret(T, *exception_texts(failed.value))
    assert not hasattr(adapter, "__dict__")


def test_what_shows() -> None:
    adapter = livekit(f"livekit:ws://h:7880/rtc?access_token={T}&a=1&b=2")
    assert str(adapter) == "livekit:ws://h:7880/rtc?access_token=***&***&***"
    assert repr(adapter) == f"LiveKitAdapter('livekit:ws://h:7880/rtc?access_token=***&***&***', token={TOKEN!r})"
    assert repr(parse_connection_string("ws-room:ws://h/rooms/x")) == "WsRoomAdapter('ws-room:ws://h/rooms/x')"
    assert str(parse_connection_string("archipelago:h/ws?x=1")) == "archipelago:wss://h/ws?***"
    scene = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
    url = f"https://h/worlds/a.eth/scenes/{scene}/comms"
    assert str(SignedLoginAdapter(url)) == f"signed-login:{url}"
    assert str(WsRoomAdapter("h/" + "x" * 65 + "/y")) == "ws-room:wss://h/***/y"
    assert str(OfflineAdapter("offline")) == "offline:offline"
    assert str(OfflineAdapter("what\u202ever")) == "offline:***"
    assert str(SimulatorAdapter("plaza?seed=1")) == "simulator:plaza?***"


def test_dataclass_tools_do_not_leak_the_token() -> None:
    adapter = livekit(f"livekit:h?access_token={T}")
    assert dataclasses.asdict(adapter) == {"url": "wss://h", "token": TOKEN, "params": ()}
    assert_no_secret(T, repr(dataclasses.asdict(adapter)), repr(dataclasses.astuple(adapter)))
    moved = dataclasses.replace(adapter, url="ws://other")
    assert (moved.url, moved.token) == ("ws://other", TOKEN)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.protocol)
def test_adapters_are_values(adapter: Adapter) -> None:
    again = parse_connection_string(adapter.to_connection_string())
    assert again == adapter
    assert hash(again) == hash(adapter)
    assert copy.copy(adapter) is adapter
    assert copy.deepcopy([adapter])[0] is adapter
    assert len({*ADAPTERS, again}) == len(ADAPTERS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(adapter, dataclasses.fields(adapter)[0].name, "x")  # type: ignore[arg-type]  # each Adapter is one


def test_the_same_url_under_two_protocols_is_not_equal() -> None:
    adapters: set[Adapter] = {WsRoomAdapter("h"), ArchipelagoAdapter("h"), OfflineAdapter("x"), SimulatorAdapter("x")}
    assert len(adapters) == 4


def test_matching_by_type() -> None:
    match parse_connection_string("ws-room:h"):
        case WsRoomAdapter(url=url):
            assert url == "wss://h"
        case other:
            pytest.fail(f"it is {other!r}")


def test_invalid_token_is_an_invalid_connection_string() -> None:
    assert isinstance(refused("livekit:h?access_token=x"), InvalidToken)
    assert not isinstance(refused("livekit:h"), InvalidToken)
