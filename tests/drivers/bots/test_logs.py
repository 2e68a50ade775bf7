"""Logging: what is told, at which level, under which name, and never a secret; nothing where nobody listens."""

from __future__ import annotations

import logging
import time
from itertools import count

import pytest
from dcl_comms_drivers import polled
from dcl_comms_drivers.logs import observed
from dcl_comms_drivers.realm.embedded import realm_in_thread
from dcl_comms_drivers.settings import Options
from dcl_comms_drivers.wallet import DisposableWallet
from rigs.drivers.kit import LOOPS, Kit

from dcl_comms_core import ConnectionLost, PeerJoined, RoomOpened
from dcl_comms_core.tap import QuietTap

numbers = count()


@pytest.fixture(params=LOOPS)
def kit(request):
    return Kit(request.param)


def lines(caplog):
    return [
        (record.name, record.levelno, record.getMessage())
        for record in caplog.records
        if record.name[:9] == "dcl_comms"
    ]


async def removed(kit, **settings):
    target = f"simulator:logs{next(numbers)}?identity=me"
    async with kit.connect(target, **settings) as me:
        me.chat("a word")
        await me.flush()
        me.driver.link.room.remove("me", now=time.monotonic())
        with pytest.raises(ConnectionLost):
            while True:
                await kit.within(40, me.next)


def test_a_connections_life_under_its_own_name(kit, caplog):
    caplog.set_level(logging.INFO, "dcl_comms")
    kit.run(lambda kit: removed(kit, log="greeter"))
    assert lines(caplog) == [
        ("dcl_comms.greeter", logging.INFO, "main: open as me"),
        ("dcl_comms.greeter", logging.WARNING, "main: closed: removed from the room (retry: never)"),
    ]


def test_packets_have_a_level_of_their_own_and_an_observer_of_ones_own_hears_all_the_same(kit, caplog):
    class Mine(QuietTap):
        def __init__(self):
            self.told = []

        def sent(self, at, room, command):
            self.told.append(command)

        def step(self, at, item):
            self.told.append(item)

    caplog.set_level(5, "dcl_comms")
    mine = Mine()
    kit.run(lambda kit: removed(kit, tap=mine))
    assert [line for line in lines(caplog) if line[1] == 5 and "main: out" in line[2] and "to everybody" in line[2]]
    assert "a word" not in caplog.text
    assert mine.told


def test_where_nobody_listens_nothing_is_done(monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    assert observed(Options.of({}))[1] is None
    monkeypatch.setattr(logging.getLogger("dcl_comms"), "propagate", False)
    assert observed(Options.of({"log": "x"}))[1] is None


def test_a_logger_that_is_switched_off_costs_nothing(caplog):
    caplog.set_level(logging.CRITICAL, "dcl_comms")
    assert observed(Options.of({}))[1] is None


@pytest.mark.parametrize("level", [1, logging.INFO])
def test_no_secret_is_ever_in_a_record(caplog, level):
    """A world with a password, on every level there is: keys, signatures, tokens and the password."""
    caplog.set_level(level)
    wallet, password = DisposableWallet(), "hunter2-canary"
    with (
        realm_in_thread(livekit=False) as realm,
        polled.open(realm.url, wallet=wallet, secret=password, log="canary") as room,
    ):
        events = []
        while not any(isinstance(event, RoomOpened) for event in events):
            room.wait(1.0)
            events += room.poll()
        with polled.open(realm.url, wallet=DisposableWallet()) as friend:
            seen = []
            while not any(isinstance(event, PeerJoined) for event in seen):
                friend.wait(0.1)
                room.poll()
                seen += friend.poll()
            friend.chat("a private word of a friend")
            for _ in range(20):
                room.poll()
                friend.poll()
    told = "\n".join(
        f"{record.getMessage()} {record.args!r} {record.exc_text}"
        for record in caplog.records
        if "dcl_comms" in record.name
    )
    assert "dcl_comms.canary" in {record.name for record in caplog.records}
    for secret in (password, "access_token=ey", "SIGNER", "ECDSA", "a private word"):
        assert secret not in told
    assert wallet.address.lower() in told.lower()
