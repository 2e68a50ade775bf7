"""``dcl-comms profile``: who an address is, as the realm says or a peer does."""

from __future__ import annotations

import json

import pytest
from dcl_comms_station.exits import Exit
from dcl_comms_station.looking.person import describe_person
from dcl_comms_station.loops import LOOPS

from dcl_comms_core import Avatar, PeerId, Person

BOTH_LOOPS = pytest.mark.parametrize("loop", sorted(LOOPS))
ADDRESS = "0x7c60eac58dcedb297746ce1ead1a541f3ac2aaaa"


@BOTH_LOOPS
def test_as_the_realm_says(run_cli, dcl_realm, loop):
    dcl_realm.profiles[ADDRESS] = Avatar(name="Ada", version=7)
    result = run_cli("profile", ADDRESS.upper().replace("X", "x"), dcl_realm.url, "--loop", loop)
    assert result.exit_code == Exit.OK, result.stderr
    assert result.stdout.splitlines() == [
        f"address  {ADDRESS}",
        "name     Ada",
        "claimed  no",
        "version  7",
        "said by  the realm's lambdas",
    ]


def test_as_json_with_the_target_of_the_environment(run_cli, dcl_realm):
    dcl_realm.set_profile(ADDRESS, "Ada \x1b愛", hasClaimedName=True, version=8)
    result = run_cli("profile", ADDRESS, "--json", env={"DCL_COMMS_TARGET": dcl_realm.url})
    assert (result.exit_code, result.stdout.isascii()) == (Exit.OK, True)
    assert json.loads(result.stdout) == {
        "address": ADDRESS,
        "name": "Ada \x1b愛",
        "claimed": True,
        "version": 8,
        "said_by": "realm",
    }
    shown = run_cli("profile", ADDRESS, dcl_realm.url).stdout
    assert "name     Ada 愛\nclaimed  yes\n" in shown


@BOTH_LOOPS
def test_as_the_peer_itself_says(run_cli, memory_room, companion, loop):
    companion(memory_room(ADDRESS), profile=Avatar(name="Bo"))
    result = run_cli("profile", ADDRESS, memory_room("me"), "--json", "--loop", loop)
    assert result.exit_code == Exit.OK, result.stderr
    found = json.loads(result.stdout)
    assert (found["name"], found["claimed"], found["said_by"]) == ("Bo", False, "peer")


@BOTH_LOOPS
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_nobody_says(run_cli, dcl_realm, loop, form):
    result = run_cli("profile", ADDRESS, dcl_realm.url, "--loop", loop, *form)
    assert (result.exit_code, result.stdout) == (Exit.REFUSED, "")
    assert result.stderr.splitlines()[-1].startswith(f"dcl-comms: error: nobody says who {ADDRESS} is")


@pytest.mark.parametrize("word", ["ada", "0x12", "", "http://127.0.0.1:9"])
def test_what_is_no_address(run_cli, word):
    result = run_cli("profile", word, "http://127.0.0.1:9")
    assert (result.exit_code, len(result.stderr.splitlines())) == (Exit.USAGE, 1)
    assert "is no address: 0x and 40 hex digits" in result.stderr


def test_a_person_without_a_name():
    assert "name     (none)" in list(describe_person(Person(id=PeerId(ADDRESS), at=0.0)))
