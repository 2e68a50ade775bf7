"""``dcl-comms peers``: who is there, for people and as JSON, on both loops."""

from __future__ import annotations

import json

import pytest
from dcl_comms_drivers.wallet import DisposableWallet
from dcl_comms_station.exits import Exit
from dcl_comms_station.looking.company import Seen, as_rows, plain_seen
from dcl_comms_station.loops import LOOPS
from dcl_comms_station.showing.table import in_columns

from dcl_comms_core import Avatar, Peer, PeerId, Vector3

BOTH_LOOPS = pytest.mark.parametrize("loop", sorted(LOOPS))
ADDRESS = "0x7c60eac58dcedb297746ce1ead1a541f3ac2aaaa"


def somebody(companion, realm, name, x):
    wallet = DisposableWallet()
    realm.profiles[wallet.address] = Avatar(name=name)
    return companion(realm.url, wallet=wallet, position=(x, 0.0, 8.0))


def until_all_are_seen(run_cli, count, *args):
    """Looking longer each time: a busy machine brings them, and what is known of them, late."""
    for seconds in (1, 5, 30):
        result = run_cli("peers", *args, "--seconds", str(seconds))
        assert result.exit_code == Exit.OK, result.stderr
        is_late = any(sign in result.stdout for sign in (" - ", "\n- ", "none of ours", "null", '""', "false}"))
        if len(result.stdout.splitlines()) >= count and not is_late:
            break
    return result


@BOTH_LOOPS
def test_who_is_around_us_in_a_realm(run_cli, dcl_realm, companion, loop):
    far, near = (somebody(companion, dcl_realm, name, x) for name, x in (("Bo", 12.0), ("Ada 愛", 9.0)))
    near.await_company(1)
    result = until_all_are_seen(run_cli, 3, dcl_realm.url, "--at", "8,0,8", "--loop", loop)
    head, first, second = result.stdout.splitlines()
    assert head.split()[0] == "NAME"
    assert first.startswith(f"Ada 愛  {near.name.short}  island")
    assert second.startswith(f"Bo      {far.name.short}  island")
    assert "9.0, 0.0, 8.0" in first
    assert ("1.0 m" in first, "4.0 m" in second) == (True, True)


@BOTH_LOOPS
def test_the_same_as_json(run_cli, dcl_realm, companion, loop):
    other = somebody(companion, dcl_realm, "Bo", 12.0)
    result = until_all_are_seen(run_cli, 1, dcl_realm.url, "--at", "8,0,8", "--json", "--loop", loop)
    assert result.stdout.isascii()
    (one,) = map(json.loads, result.stdout.splitlines())
    # Pulse tells positions in steps of centimetres.
    position, distance = one.pop("position"), one.pop("distance")
    assert (*position, distance) == pytest.approx((12.0, 0.0, 8.0, 4.0), abs=0.1)
    assert one == {
        "peer": other.name.text,
        "name": "Bo",
        "claimed": False,
        "rooms": ["island"],
        "speaking": False,
        "hears_us": True,
    }


@BOTH_LOOPS
def test_nobody_is_there(run_cli, memory_room, loop):
    for form in ((), ("--json",)):
        result = run_cli("peers", memory_room("me"), "--seconds", "0.05", "--loop", loop, *form)
        assert (result.exit_code, result.stdout) == (Exit.OK, "")
        assert result.stderr == "dcl-comms: nobody else is here\n"


def test_one_who_says_nothing_of_itself(run_cli, memory_room, companion):
    companion(memory_room("other"))
    result = run_cli("peers", memory_room("me"), "--seconds", "0.05", "--json")
    (one,) = map(json.loads, result.stdout.splitlines())
    assert (one["peer"], one["name"], one["position"], one["distance"]) == ("other", "", None, None)


@BOTH_LOOPS
def test_a_room_that_ends_meanwhile_says_why(run_cli, memory_room, companion, loop):
    rivals = []
    companion(memory_room("other"), lambda room, who: rivals or rivals.append(companion(memory_room("me"))))
    result = run_cli("peers", memory_room("me"), "--seconds", "300", "--loop", loop)
    assert (result.exit_code, result.stdout) == (Exit.REFUSED, "")
    assert "the same identity joined again elsewhere" in result.stderr


def test_a_realm_that_is_not_there(run_cli):
    result = run_cli("peers", "http://127.0.0.1:9", "--timeout", "5")
    assert (result.exit_code, len(result.stderr.splitlines())) == (Exit.NETWORK, 1)


def seen(name="", **fields):
    of_peer = {key: fields.pop(key) for key in ("position", "rooms", "speaking") if key in fields}
    peer = Peer(id=PeerId(ADDRESS), joined_at=0.0, **of_peer)
    return Seen(peer=peer, name=name, **{"claimed": False, "distance": None, "hears": True, **fields})


def test_whom_pulse_alone_tells_of_and_who_speaks():
    company = [
        seen("A\x1bd\na", rooms=("island", "scene"), speaking=True),
        seen("x" * 99, hears=False, position=Vector3(1.0, 2.0, 3.0), distance=3.0),
    ]
    head, first, second = in_columns(as_rows(company))
    assert first.split() == ["Ad", "a", "0x7c60…aaaa", "island,", "scene", "-", "-", "yes"]
    assert second.split()[2:] == ["none", "of", "ours", "1.0,", "2.0,", "3.0", "3.0", "m"]
    assert head.index("ADDRESS") == first.index("0x7c") == second.index("0x7c") == 42
    assert plain_seen(company[0])["speaking"] is True


def test_a_terminal_s_width_is_kept(on_terminal, dcl_realm, companion):
    somebody(companion, dcl_realm, "Bo", 9.0)
    for seconds in ("1", "5", "30"):
        seen = on_terminal("peers", dcl_realm.url, "--at", "8,0,8", "--seconds", seconds, columns=20)
        assert seen.wait()[0] == Exit.OK
        if seen.text:
            break
    head, *rows = seen.text.split("\r\n")[:2]
    assert (len(head), head[-1], [len(row) for row in rows]) == (20, "…", [20])


def test_rows_are_cut_to_the_terminal():
    assert in_columns([("a", "b"), ("愛", "long")], most=6) == ["a   b", "愛  l…"]
