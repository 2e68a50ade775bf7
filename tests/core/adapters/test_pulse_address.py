"""Where Pulse is: addresses as they are written, what a realm says, and the Foundation's own."""

from __future__ import annotations

from typing import Any

import pytest

from dcl_comms_core import (
    ConnectionStringProblem,
    InvalidConnectionString,
    OfflineAdapter,
    Place,
    TargetProblem,
    TargetRefused,
    parse_about,
)
from dcl_comms_core.adapters.pulse import PulseAddress, foundation_pulse


@pytest.mark.parametrize(
    ("text", "host", "port", "shown"),
    [
        ("pulse.example:7000", "pulse.example", 7000, "pulse.example:7000"),
        (" Pulse.Example ", "pulse.example", 7777, "pulse.example:7777"),
        ("127.0.0.1:1", "127.0.0.1", 1, "127.0.0.1:1"),
        ("[::1]:7777", "::1", 7777, "[::1]:7777"),
        ("[2600::1]", "2600::1", 7777, "[2600::1]:7777"),
        ("bücher.example", "xn--bcher-kva.example", 7777, "xn--bcher-kva.example:7777"),
    ],
)
def test_an_address(text: str, host: str, port: int, shown: str) -> None:
    address = PulseAddress.parse(text)
    assert (address.host, address.port, str(address)) == (host, port, shown)
    assert PulseAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ConnectionStringProblem.BAD_URL),
        (":7777", ConnectionStringProblem.BAD_URL),
        ("h:0", ConnectionStringProblem.BAD_URL),
        ("h:65536", ConnectionStringProblem.BAD_URL),
        ("h:7777:7777", ConnectionStringProblem.BAD_URL),
        ("::1", ConnectionStringProblem.BAD_URL),
        ("h:x", ConnectionStringProblem.BAD_URL),
        ("udp://h:7777", ConnectionStringProblem.BAD_URL),
        ("h:7777/x", ConnectionStringProblem.BAD_URL),
        ("h:7777?token=secret", ConnectionStringProblem.BAD_URL),
        ("me:secret@h", ConnectionStringProblem.BAD_URL),
        ("h\n", None),
        ("a\x00b", ConnectionStringProblem.CONTROL_CHARACTER),
        ("h" * 301, ConnectionStringProblem.TOO_LONG),
        (5, ConnectionStringProblem.NOT_TEXT),
    ],
)
def test_no_address(text: Any, problem: ConnectionStringProblem | None) -> None:
    if problem is None:
        assert PulseAddress.parse(text).host == "h"
        return
    with pytest.raises(InvalidConnectionString) as caught:
        PulseAddress.parse(text)
    assert caught.value.problem is problem
    assert "secret" not in str(caught.value)


def test_an_address_is_judged_like_any_other_but_for_being_in_the_clear() -> None:
    near = PulseAddress.parse("127.0.0.1")
    near.check(within=None)
    near.check(within=Place.LOOPBACK)
    PulseAddress.parse("pulse.example").check(within=Place.PUBLIC)
    for address, within, problem in (
        (near, Place.PUBLIC, TargetProblem.PLACE),
        (PulseAddress.parse("10.0.0.1"), Place.PUBLIC, TargetProblem.PLACE),
        (PulseAddress("0x7f.1"), None, TargetProblem.BAD_URL),
        (PulseAddress.parse("224.0.0.1"), None, TargetProblem.PLACE),
    ):
        with pytest.raises(TargetRefused) as caught:
            address.check(within=within)
        assert caught.value.problem is problem


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://realm-provider.decentraland.org/main", "pulse-server.decentraland.org"),
        ("https://decentraland.org", "pulse-server.decentraland.org"),
        ("https://Worlds-Content-Server.Decentraland.Org:443/world/a.dcl.eth", "pulse-server.decentraland.org"),
        ("https://realm-provider.decentraland.org./main", "pulse-server.decentraland.org"),
        ("https://realm-provider.decentraland.zone/main", "pulse-server.decentraland.zone"),
        ("https://realm-provider.decentraland.today/main", None),
        ("https://decentraland.org.example/main", None),
        ("https://notdecentraland.org/main", None),
        ("http://127.0.0.1:8000", None),
        ("http://[::1]:8000", None),
        ("http://org", None),
    ],
)
def test_the_foundations_realms_have_their_environments(url: str, host: str | None) -> None:
    assert foundation_pulse(url) == (None if host is None else PulseAddress(host, 7777))


@pytest.mark.parametrize(
    ("value", "address", "problem"),
    [
        ("pulse.example:7000", PulseAddress("pulse.example", 7000), ""),
        ("", None, ""),
        (" ", None, ""),
        (7777, None, ""),
        (["h"], None, ""),
        ("h:x", None, "bad URL"),
        ("https://h", None, "bad URL"),
    ],
)
def test_what_a_realm_says(value: object, address: PulseAddress | None, problem: str) -> None:
    realm = parse_about({"comms": {"adapter": "offline:offline", "pulse": value}})
    assert (realm.pulse, realm.pulse_problem.partition(":")[0]) == (address, problem)
    # What is wrong with it is nothing to the way in.
    assert (realm.choose(), realm.problem) == (OfflineAdapter("offline"), "")
