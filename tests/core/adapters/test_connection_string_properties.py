"""Any text at all is an Adapter or an InvalidConnectionString; what was parsed can be written and parsed again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rigs.core.canary import assert_no_secret, exception_texts
from rigs.core.tokens import make_token

from dcl_comms_core.adapters.connection_string import Adapter, LiveKitAdapter, parse_connection_string
from dcl_comms_core.adapters.token import AccessToken
from dcl_comms_core.errors import InvalidConnectionString
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

T = make_token(now=1_800_000_000.0)
TOKEN = AccessToken.parse(T)

PIECES = st.sampled_from(
    [
        *("livekit:", "ws-room:", "signed-login:", "archipelago:", "fixed-adapter:", "offline:", "simulator:", "p2p:"),
        *(
            "LiveKit:",
            "wss://",
            "ws://",
            "https://",
            "HTTP://",
            "//",
            "/",
            ":",
            "?",
            "&",
            "=",
            "#",
            "@",
            "%",
            "+",
            "\\",
        ),
        *("host", "h.example", "127.0.0.1", "[::1]", "[", "]", "\u00fc", "\u3002", "7880", "65536", " ", "\n", "\x00"),
        *("access_token=", "a=b", "%41", "%FF", "%E2%80%A8", "\ud800", "\u212a", "xn--", "-", "_", ".", T),
    ]
)
TEXTS = st.text() | st.text(st.characters()) | st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)
LIKELY = st.builds(
    "{}{}{}{}{}{}".format,
    st.sampled_from(["", "fixed-adapter:", "archipelago:", "archipelago:archipelago:"]),
    st.sampled_from(["livekit:", "ws-room:", "archipelago:", "signed-login:", "offline:", "simulator:"]),
    st.sampled_from(["", "ws://", "wss://", "http://", "https://"]),
    st.sampled_from(["h", "H.example:7880", "[::1]", "[::1]:80", "b\u00fccher.example", "10.0.0.1:1", "u@h", "h:"]),
    st.text(max_size=8).map(lambda text: f"/{text}" if text else ""),
    st.lists(st.text(max_size=4) | st.just(f"access_token={T}"), max_size=4).map(lambda items: "?" + "&".join(items)),
)


def parsed_or_refused(text: str, *, limits: Limits = DEFAULT_LIMITS) -> Adapter | None:
    try:
        adapter = parse_connection_string(text, limits=limits)
    except InvalidConnectionString as error:
        assert_no_secret(T, *exception_texts(error))
        return None
    assert_no_secret(T, str(adapter), repr(adapter))
    return adapter


@given(TEXTS | LIKELY)
@example("ws-room:\u0130")
@example("offline:\x20\x85")
@example(f"livekit:h?access_token={T}&\x7f")
def test_any_text_and_there_and_back(text: str) -> None:
    adapter = parsed_or_refused(text)
    if adapter is not None:
        written = adapter.to_connection_string()
        again = parse_connection_string(written)
        assert again == adapter
        assert again.to_connection_string() == written
        assert written.startswith(f"{adapter.protocol}:")


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"])).filter(lambda name: name != "access_token"),
            st.text(st.characters(exclude_categories=["Cs"])),
        ),
        max_size=8,
    ).map(tuple)
)
def test_any_parameters_there_and_back(params: tuple[tuple[str, str], ...]) -> None:
    adapter = LiveKitAdapter("wss://h:7880/x", TOKEN, params)
    assert parse_connection_string(adapter.to_connection_string()) == adapter


@pytest.mark.parametrize(
    "make",
    [
        lambda n: "archipelago:" * n,
        lambda n: "livekit:h?" + "&" * 12 * n,
        lambda n: "livekit:h?" + "access_token=&" * n,
        lambda n: "livekit:h?" + "%" * 12 * n,
        lambda n: "livekit:h?access_token=" + "." * 12 * n,
        lambda n: "livekit:h?access_token=" + "e" * 12 * n,
        lambda n: "ws-room:" + "a" * 12 * n,
        lambda n: "ws-room:" + "a." * 6 * n,
        lambda n: "ws-room:" + "\u00fc" * 12 * n,
        lambda n: "ws-room:[" + ":" * 12 * n + "]",
        lambda n: "ws-room:h" + "/=" * 6 * n,
        lambda n: "offline:" + "?" * 12 * n,
    ],
)
def test_time_is_linear(make: Callable[[int], str]) -> None:
    """Hundreds of thousands of characters: in quadratic time none of these would end within the time limit of a test."""
    parsed_or_refused(make(30_000), limits=Limits(connection_string_chars=2_000_000))
