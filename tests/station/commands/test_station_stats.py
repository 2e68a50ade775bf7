"""``dcl-comms stats``: rates once a second and a sum, on both loops, however it ends."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace

import pytest
from dcl_comms_drivers.connection.stats import Stats
from dcl_comms_drivers.wallet import DisposableWallet
from dcl_comms_station.exits import Exit
from dcl_comms_station.looking.traffic import LinesTold, rates
from dcl_comms_station.loops import LOOPS

BOTH_LOOPS = pytest.mark.parametrize("loop", sorted(LOOPS))
NOTHING = Stats(
    link="net",
    links={},
    received=0,
    received_bytes=0,
    rejected=0,
    sent=0,
    sent_bytes=0,
    send_failed=0,
    waiting=0,
    waiting_bytes=0,
    in_flight=0,
    in_flight_bytes=0,
    credits=0,
    unread_events=0,
    dropped_events=0,
    lost={},
    reconnects=0,
    stranded=0,
    round_trip=None,
    round_trip_at=None,
    quality=None,
)
LATER = replace(
    NOTHING,
    received=10,
    received_bytes=1000,
    rejected=2,
    sent=4,
    sent_bytes=200,
    lost={"rejected.malformed": 2, "expired": 5},
    round_trip=0.0123,
    reconnects=1,
)


def test_rates_are_what_came_between():
    begin = replace(NOTHING, received=4, lost={"expired": 5})
    found = rates(begin, LATER, 2.0)
    assert (found.received, found.received_bytes, found.rejected) == (3.0, 500.0, 1.0)
    assert (found.sent, found.sent_bytes, found.round_trip) == (2.0, 100.0, 0.0123)
    assert found.lost == {"rejected.malformed": 1.0}


def test_lines_for_people(capsys):
    told = LinesTold()
    told.now(rates(NOTHING, LATER, 2.0))
    told.now(rates(LATER, replace(LATER, round_trip=None), 2.0))
    told.total(LATER, 60.04)
    some, none, total = capsys.readouterr().out.splitlines()
    assert some[10:] == (
        "in    5.0/s      500 B/s  out    2.0/s      100 B/s  rejected 1.0/s  round trip 12 ms"
        "  lost rejected.malformed 1.0/s, expired 2.5/s"
    )
    assert none.endswith("rejected 0.0/s  round trip -  lost nothing")
    assert total == (
        "in 60.0 s: 10 packets came (1000 bytes), 2 rejected; 4 went out (200 bytes); reconnects 1;"
        " round trip 12 ms; lost rejected.malformed 2, expired 5"
    )


@BOTH_LOOPS
def test_it_leaves_when_its_time_is_over(run_cli, memory_room, loop):
    result = run_cli("stats", memory_room("me"), "--seconds", "1.2", "--json", "--loop", loop)
    assert (result.exit_code, result.stderr, result.stdout.isascii()) == (Exit.OK, "", True)
    *seconds, total = map(json.loads, result.stdout.splitlines())
    assert seconds
    assert {one["kind"] for one in seconds} == {"rates"}
    assert (total["kind"], total["received"], total["lost"], total["reconnects"]) == ("sum", 0, {}, 0)
    assert total["seconds"] >= 1.1


@BOTH_LOOPS
def test_what_comes_is_counted_in_its_second_and_in_the_sum(on_pipes, dcl_realm, companion, loop):
    other = companion(dcl_realm.url, wallet=DisposableWallet(), position=(8.0, 0.0, 8.0))
    counting = on_pipes("stats", dcl_realm.url, "--at", "8,0,8", "--json", "--loop", loop)
    other.await_company(1)
    end = time.monotonic() + 60
    while not any(json.loads(line)["received_bytes"] for line in counting.lines):
        assert time.monotonic() < end, counting.lines
        other.do(lambda room: room.chat("still here?"))
        time.sleep(0.1)
    counting.process.send_signal(signal.SIGINT)
    assert counting.wait() == (Exit.INTERRUPTED, [])
    *seconds, total = map(json.loads, counting.lines)
    came = [one["received"] * one["seconds"] for one in seconds]
    assert 1 <= round(sum(came)) <= total["received"]
    assert total["kind"] == "sum"
    assert sum(one["sent"] * one["seconds"] for one in seconds) <= total["sent"] + 0.1


@BOTH_LOOPS
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_sum_comes_when_it_is_interrupted_too(on_pipes, dcl_realm, loop, number):
    counting = on_pipes("stats", dcl_realm.url, "--loop", loop)
    counting.until("  out ")
    counting.process.send_signal(number)
    assert counting.wait() == (128 + number, [])
    *lines, total = counting.lines
    assert " packets came (" in total
    assert all("B/s  rejected " in line for line in lines)


@BOTH_LOOPS
def test_the_sum_comes_when_the_room_is_over_too(run_cli, memory_room, companion, loop):
    rivals = []
    companion(memory_room("other"), lambda room, who: rivals or rivals.append(companion(memory_room("me"))))
    result = run_cli("stats", memory_room("me"), "--loop", loop)
    assert result.exit_code == Exit.REFUSED
    assert " packets came (" in result.stdout.splitlines()[-1]
    assert len(result.stderr.splitlines()) == 1
