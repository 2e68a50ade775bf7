"""Where a URL may lead: a table of URLs and addresses, and what a public realm may not make us do."""

from __future__ import annotations

import pytest

from dcl_comms_core import LEADS_TO, Place, Target, TargetProblem, TargetRefused, place_of

ADDRESSES = {
    # IPv4
    "8.8.8.8": Place.PUBLIC,
    "1.1.1.1": Place.PUBLIC,
    "172.15.255.255": Place.PUBLIC,
    "172.32.0.0": Place.PUBLIC,
    "100.63.255.255": Place.PUBLIC,
    "100.128.0.0": Place.PUBLIC,
    "127.0.0.1": Place.LOOPBACK,
    "127.255.255.254": Place.LOOPBACK,
    "10.0.0.1": Place.PRIVATE,
    "172.16.0.1": Place.PRIVATE,
    "172.31.255.255": Place.PRIVATE,
    "192.168.0.1": Place.PRIVATE,
    "100.64.0.1": Place.PRIVATE,
    "100.127.255.255": Place.PRIVATE,
    "198.18.0.1": Place.PRIVATE,
    "169.254.169.254": Place.LINK_LOCAL,
    "0.0.0.0": Place.RESERVED,
    "0.1.2.3": Place.RESERVED,
    "192.0.0.170": Place.RESERVED,
    "192.0.2.1": Place.RESERVED,
    "198.51.100.1": Place.RESERVED,
    "203.0.113.1": Place.RESERVED,
    "224.0.0.1": Place.RESERVED,
    "240.0.0.1": Place.RESERVED,
    "255.255.255.255": Place.RESERVED,
    # IPv6
    "2606:4700::1111": Place.PUBLIC,
    "::1": Place.LOOPBACK,
    "::": Place.RESERVED,
    "fe80::1": Place.LINK_LOCAL,
    "fe80::1%eth0": Place.LINK_LOCAL,
    "fe80::1%25eth0": Place.LINK_LOCAL,
    "febf::1": Place.LINK_LOCAL,
    "fc00::1": Place.PRIVATE,
    "fd00:ec2::254": Place.PRIVATE,
    "fec0::1": Place.PRIVATE,
    "ff02::1": Place.RESERVED,
    "2001:db8::1": Place.RESERVED,
    "3fff::1": Place.RESERVED,
    "100::1": Place.RESERVED,
    "::7f00:1": Place.RESERVED,
    # an IPv4 address in an IPv6 one: mapped, NAT64, 6to4, Teredo (inverted)
    "::ffff:127.0.0.1": Place.LOOPBACK,
    "::ffff:7f00:1": Place.LOOPBACK,
    "::ffff:169.254.169.254": Place.LINK_LOCAL,
    "::ffff:8.8.8.8": Place.PUBLIC,
    "64:ff9b::7f00:1": Place.LOOPBACK,
    "64:ff9b::a9fe:a9fe": Place.LINK_LOCAL,
    "64:ff9b::808:808": Place.PUBLIC,
    "64:ff9b:1::7f00:1": Place.RESERVED,
    "2002:7f00:1::": Place.LOOPBACK,
    "2002:a00:1::1": Place.PRIVATE,
    "2001:0:4136:e378:8000:63bf:3fff:fdd2": Place.RESERVED,  # 192.0.2.45
    "2001:0:4136:e378:8000:63bf:80ff:fffe": Place.LOOPBACK,  # 127.0.0.1
    # no address
    "": Place.RESERVED,
    "localhost": Place.RESERVED,
    "2130706433": Place.RESERVED,
    "0x7f.1": Place.RESERVED,
    "127.1": Place.RESERVED,
    "010.0.0.1": Place.RESERVED,
}

OK = None
BAD, PLAIN, PLACE = TargetProblem.BAD_URL, TargetProblem.PLAIN, TargetProblem.PLACE

# What a realm on the internet may name, and what the user may: (URL, problem for the realm, problem for the user).
URLS: list[tuple[str, TargetProblem | None, TargetProblem | None]] = [
    ("https://peer.decentraland.org/about", OK, OK),
    ("HTTPS://Peer.Decentraland.ORG:8443/about?x=1#part", OK, OK),
    ("https://8.8.8.8/", OK, OK),
    ("https://[2606:4700::1111]:444/", OK, OK),
    ("https://bücher.example/", OK, OK),
    ("http://peer.decentraland.org/", OK, OK),  # in the clear: known when its address is
    ("http://8.8.8.8/", PLAIN, PLAIN),
    ("http://192.168.1.1/", PLACE, PLAIN),
    ("https://192.168.1.1/", PLACE, OK),
    ("https://localhost/", PLACE, OK),
    ("http://localhost:5142/", PLACE, OK),
    ("http://LOCALHOST./", PLACE, OK),
    ("http://a.localhost/", PLACE, OK),
    ("http://127.0.0.1:5142/about", PLACE, OK),
    ("http://127.8.8.8/", PLACE, OK),
    ("http://[::1]/", PLACE, OK),
    ("http://[::ffff:127.0.0.1]/", PLACE, OK),
    ("http://[::ffff:7f00:1]/", PLACE, OK),
    ("http://[0:0:0:0:0:0:0:1]/", PLACE, OK),
    ("https://[fe80::1]/", PLACE, OK),
    ("https://[fe80::1%25eth0]/", BAD, BAD),
    ("https://[fd00:ec2::254]/", PLACE, OK),
    ("https://169.254.169.254/latest/meta-data/", PLACE, OK),
    ("http://169.254.169.254/latest/meta-data/", PLACE, PLAIN),
    ("https://[64:ff9b::a9fe:a9fe]/", PLACE, OK),
    ("https://[64:ff9b::7f00:1]/", PLACE, OK),
    ("https://[2002:a00:1::1]/", PLACE, OK),
    ("https://100.64.0.1/", PLACE, OK),
    ("https://0.0.0.0/", PLACE, PLACE),
    ("https://[::]/", PLACE, PLACE),
    ("https://224.0.0.1/", PLACE, PLACE),
    ("https://255.255.255.255/", PLACE, PLACE),
    ("https://metadata.google.internal/", PLACE, OK),
    ("https://router.lan/", PLACE, OK),
    ("https://printer.local/", PLACE, OK),
    ("https://nas.home.arpa./", PLACE, OK),
    # IPv4 as resolvers also read it
    ("https://2130706433/", BAD, BAD),
    ("https://0x7f000001/", BAD, BAD),
    ("https://0X7F.0.0.1/", BAD, BAD),
    ("https://127.0.0.0x1/", BAD, BAD),
    ("https://0177.0.0.1/", BAD, BAD),
    ("https://017700000001/", BAD, BAD),
    ("https://127.1/", BAD, BAD),
    ("https://127.0.0.1./", BAD, BAD),
    ("https://256.0.0.1/", BAD, BAD),
    ("https://1.2.3.4.5/", BAD, BAD),
    # not what they seem
    ("https://example.com@127.0.0.1/", BAD, BAD),
    ("https://user:password@example.com/", BAD, BAD),
    ("https://127.0.0.1:80:90/", BAD, BAD),
    ("https://example.com:0/", BAD, BAD),
    ("https://example.com:65536/", BAD, BAD),
    ("https://example.com\\@127.0.0.1/", BAD, BAD),
    ("https://exam ple.com/", BAD, BAD),
    ("https://example.com\n.evil/", BAD, BAD),
    ("https://[127.0.0.1]/", BAD, BAD),
    ("https://[::1/", BAD, BAD),
    ("https:///path", BAD, BAD),
    ("https://a/../b", BAD, BAD),
    ("//example.com/", BAD, BAD),
    ("example.com", BAD, BAD),
    ("", BAD, BAD),
    ("ftp://example.com/", BAD, BAD),
    ("file:///etc/passwd", BAD, BAD),
    ("gopher://127.0.0.1:6379/_FLUSHALL", BAD, BAD),
    ("javascript:alert(1)", BAD, BAD),
    ("http://①②⑦.⓪.⓪.①/", PLACE, OK),  # IDNA makes 127.0.0.1 of it
]


@pytest.mark.parametrize(("address", "place"), ADDRESSES.items())
def test_where_an_address_is(address: str, place: Place) -> None:
    assert place_of(address) is place


def judged(url: str, within: Place | None, *, plain: bool = False) -> TargetProblem | None:
    try:
        Target.of_http(url).check(within=within, plain=plain)
    except TargetRefused as refusal:
        assert refusal.__context__ is None or not url or url not in str(refusal.__context__)
        return refusal.problem
    return None


@pytest.mark.parametrize(("url", "by_a_public_realm", "by_the_user"), URLS)
def test_what_may_be_requested(
    url: str, by_a_public_realm: TargetProblem | None, by_the_user: TargetProblem | None
) -> None:
    assert (judged(url, Place.PUBLIC), judged(url, None)) == (by_a_public_realm, by_the_user)


def test_the_table_is_as_long_as_it_has_to_be() -> None:
    assert len(URLS) >= 40
    assert len({url for url, *_ in URLS}) == len(URLS)


@pytest.mark.parametrize("within", Place)
@pytest.mark.parametrize("address", ["8.8.8.8", "10.0.0.1", "169.254.169.254", "127.0.0.1", "0.0.0.0"])
def test_what_leads_where(within: Place, address: str) -> None:
    target = Target.of_http("https://example.com/")
    if place_of(address) in LEADS_TO[within]:
        assert target.check_address(address, within=within) is place_of(address)
    else:
        with pytest.raises(TargetRefused, match=f"named by a {within.value} server"):
            target.check_address(address, within=within)


def test_nobody_leads_from_far_to_near() -> None:
    order = [Place.PUBLIC, Place.PRIVATE]
    assert all(Place.LOOPBACK not in LEADS_TO[place] for place in (*order, Place.LINK_LOCAL))
    assert all(Place.RESERVED not in places for places in LEADS_TO.values())
    # Where something leads, what leads on from there is no more than it could have named itself.
    for place, places in LEADS_TO.items():
        assert all(LEADS_TO[further] <= places for further in places), place


def test_a_name_is_judged_again_at_the_address_that_it_resolved_to() -> None:
    target = Target.of_http("https://innocent.example/")
    target.check(within=Place.PUBLIC)
    for rebound in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fe80::1%eth0"):
        with pytest.raises(TargetRefused) as refusal:
            target.check_address(rebound, within=Place.PUBLIC)
        assert refusal.value.problem is PLACE


def test_in_the_clear_only_on_loopback_unless_asked() -> None:
    target = Target.of_http("http://innocent.example/")
    assert target.check_address("127.0.0.1", within=None) is Place.LOOPBACK
    for address in ("8.8.8.8", "192.168.0.1"):
        with pytest.raises(TargetRefused) as refusal:
            target.check_address(address, within=None)
        assert refusal.value.problem is PLAIN
        assert target.check_address(address, within=None, plain=True) is place_of(address)


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "authority", "path"),
    [
        ("https://A.example", "https", "a.example", 443, "a.example", "/"),
        ("https://a.example:443/x?y=%2f#z", "https", "a.example", 443, "a.example", "/x?y=%2f"),
        ("https://a.example?y", "https", "a.example", 443, "a.example", "/?y"),
        ("http://[::1]:8080/é", "http", "::1", 8080, "[::1]:8080", "/%C3%A9"),
        ("http://[::1]", "http", "::1", 80, "[::1]", "/"),
        ("https://a.example:80", "https", "a.example", 80, "a.example:80", "/"),
    ],
)
def test_a_url_is_taken_apart(url: str, scheme: str, host: str, port: int, authority: str, path: str) -> None:
    target = Target.of_http(url)
    assert (target.scheme, target.host, target.port) == (scheme, host, port) == target.origin
    assert (target.authority, target.path, target.secure) == (authority, path, scheme == "https")


def test_a_websocket_url_may_be_written_as_http() -> None:
    assert Target.of_websocket("http://127.0.0.1:5000/ws").scheme == "ws"
    assert Target.of_websocket("https://a.example/ws").origin == ("wss", "a.example", 443)
    assert Target.of_websocket("wss://a.example/rooms/x?access_token=s").path == "/rooms/x?access_token=s"
    with pytest.raises(TargetRefused):
        Target.of_http("wss://a.example/")


def test_where_datagrams_go_is_judged_as_a_url_is() -> None:
    target = Target.of_datagrams("Pulse.Example", 7777)
    assert target.origin == ("udp", "pulse.example", 7777)
    assert not target.secure
    target.check(within=Place.PUBLIC, plain=True)
    assert target.check_address("8.8.8.8", within=Place.PUBLIC, plain=True) is Place.PUBLIC
    six = Target.of_datagrams("::1", 7777)
    assert (six.host, six.authority) == ("::1", "[::1]:7777")
    with pytest.raises(TargetRefused) as refused:
        six.check(within=Place.PUBLIC, plain=True)
    assert refused.value.problem is PLACE


@pytest.mark.parametrize(
    ("host", "port"),
    [("", 1), ("a/b", 1), ("a?b", 1), ("a#b", 1), ("u@a", 1), ("[::1]", 1), ("fe80::1%lo", 1), ("a:7", 1), ("a", 0),
     ("a", -1), ("a", 65_536), ("a b", 1), ("127.1", 1)],
)  # fmt: skip
def test_where_no_datagram_goes(host: str, port: int) -> None:
    with pytest.raises(TargetRefused) as refused:
        Target.of_datagrams(host, port)
    assert refused.value.problem is BAD


def test_a_targets_repr_holds_no_path() -> None:
    assert "hush" not in repr(Target.of_http("https://a.example/hush?hush"))
