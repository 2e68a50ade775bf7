"""The servers of a deployment, its keys, and what can be done to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dcl_comms_core import (
    CloseReason,
    LinkClosed,
    LinkOpened,
    LinkRef,
    LocalProtocolError,
    OpenLink,
    SendData,
    SimulatorAdapter,
)
from dcl_comms_core import events as ev
from dcl_comms_core.adapters.connection_string import parse_connection_string
from dcl_comms_core.deployment.deployment import SERVICES, Deployment
from dcl_comms_core.deployment.keys import PaperKey, PaperVerifier, login_of, wallet_of
from dcl_comms_core.deployment.machine import Machine
from dcl_comms_core.identity.auth_chain import ContractCheck
from dcl_comms_core.inputs import DataReceived
from dcl_comms_core.servers.realm import RealmSettings
from dcl_comms_core.simulation.settings import Faults
from dcl_comms_core.testing.inhabitant import Inhabitant
from dcl_comms_core.tools.virtual_clock import UNIX_START

ALICE = "0x616c696365000000000000000000000000000000"


# --- keys


def test_a_name_is_a_wallet() -> None:
    assert wallet_of("alice") == wallet_of("alice/phone") == wallet_of(ALICE.upper().replace("X", "x")) == ALICE
    for name in ("", "a name of more than 20 bytes"):
        with pytest.raises(LocalProtocolError, match="1 to 20 bytes"):
            wallet_of(name)


def test_a_login_holds_in_the_deployment_and_nobody_else_can_make_it() -> None:
    chain, verifier = login_of("alice").sign("something"), PaperVerifier()
    assert chain.validate("something", unix_now=UNIX_START, verifier=verifier) == ALICE
    assert login_of("alice").ephemeral_address == login_of("alice").ephemeral_address
    assert login_of("alice").ephemeral_address != login_of("alice/phone").ephemeral_address
    signature = bytes.fromhex(PaperKey(ALICE).sign("a")[2:])
    assert verifier.recover("a", signature) == ALICE
    assert verifier.recover("b", signature) is None
    assert not verifier.contract_accepts(ContractCheck(ALICE, "a", signature))


# --- rooms, without a world


def drive(deployment: Deployment, machine: Machine, seconds: float) -> list[Any]:
    """Let time pass; what the machine has for its session."""
    end, came = deployment.clock.now + seconds, []
    while True:
        deployment.run()
        came += machine.inputs(deployment.clock.now, 1)
        times = [due for due in (deployment.deadline(), machine.deadline()) if due is not None and due <= end]
        if not times:
            deployment.clock.advance_to(end)
            return came + machine.inputs(end)
        deployment.clock.advance_to(min(times))


def open_link(deployment: Deployment, name: str = "alice", generation: int = 1) -> OpenLink:
    adapter = parse_connection_string(deployment.rooms.mint("plaza", wallet_of(name)))
    return OpenLink(link=LinkRef(7, generation), adapter=adapter)


def test_two_machines_are_in_a_room_and_send_to_each_other() -> None:
    deployment = Deployment(seed=1)
    a, b = deployment.machine("alice"), deployment.machine("bob")
    assert drive(deployment, a, 1.0) == []
    a.execute(open_link(deployment), now=deployment.clock.now)
    b.execute(open_link(deployment, "bob"), now=deployment.clock.now)
    came: list[Any] = []
    for _ in range(60):
        came += drive(deployment, a, 0.05)
        drive(deployment, b, 0.0)
    assert isinstance(came[0], LinkOpened)
    assert deployment.rooms_of("alice") == ["plaza"]
    send = SendData(link=LinkRef(7, 1), token=1, data=b"hello", to=None, reliable=True)
    b.execute(send, now=deployment.clock.now)
    # Of an attempt that is over.
    b.execute(replace(send, link=LinkRef(7, 0)), now=deployment.clock.now)
    drive(deployment, b, 0.1)
    (got,) = [one for one in drive(deployment, a, 1.0) if isinstance(one, DataReceived)]
    assert (got.sender, got.data, got.reliable) == (wallet_of("bob"), b"hello", True)


def test_the_next_attempt_ends_the_one_before_and_the_same_name_is_another_machine() -> None:
    deployment = Deployment(seed=1)
    machine = deployment.machine("alice")
    machine.execute(open_link(deployment), now=0.0)
    drive(deployment, machine, 3.0)
    machine.execute(open_link(deployment, generation=2), now=deployment.clock.now)
    came = drive(deployment, machine, 3.0)
    assert came[0] == LinkClosed(link=LinkRef(7, 1), reason=CloseReason.CLIENT)
    assert isinstance(came[1], LinkOpened)
    assert deployment.machine("alice") is not machine
    drive(deployment, machine, 3.0)
    assert deployment.rooms_of("alice") == []
    # One that failed has ended already.
    deployment.kill("rooms")
    again = deployment.machine("alice")
    again.execute(open_link(deployment), now=deployment.clock.now)
    drive(deployment, again, 1.0)
    again.execute(open_link(deployment, generation=2), now=deployment.clock.now)
    assert not [one for one in drive(deployment, again, 1.0) if isinstance(one, LinkClosed)]


def test_its_rooms_are_livekits() -> None:
    machine = Deployment().machine("alice")
    with pytest.raises(LocalProtocolError, match="not simulator"):
        machine.execute(OpenLink(link=LinkRef(7, 1), adapter=SimulatorAdapter("room")), now=0.0)


# --- people


def people(deployment: Deployment, *names: str, **options: Any) -> list[Inhabitant]:
    found = [Inhabitant(name, deployment, entropy=number, **options) for number, name in enumerate(names)]
    for one in found:
        one.turn(deployment.clock.now)
    return found


def run(deployment: Deployment, inhabitants: list[Inhabitant], seconds: float) -> None:
    end = deployment.clock.now + seconds
    while True:
        now = deployment.clock.now
        deployment.run()
        for one in inhabitants:
            if (due := one.deadline()) is not None and due <= now:
                one.turn(now)
        times = [deployment.deadline(), *(one.deadline() for one in inhabitants)]
        soonest = min((time for time in times if time is not None), default=end)
        if soonest > end:
            deployment.clock.advance_to(end)
            return
        deployment.clock.advance_to(soonest)


def kinds(inhabitant: Inhabitant) -> list[type]:
    return [type(event) for event in inhabitant.take_events()]


def test_they_come_in_meet_and_what_ends_is_told() -> None:
    deployment = Deployment(seed=2)
    a, b = people(deployment, "alice", "bob")
    run(deployment, [a, b], 5.0)
    assert {ev.RealmOpened, ev.IslandChanged, ev.PeerJoined} <= set(kinds(a))
    a.session.chat("hello", now=deployment.clock.now)
    a.turn(deployment.clock.now)
    run(deployment, [a, b], 1.0)
    assert [event.text for event in b.take_events() if isinstance(event, ev.ChatReceived)] == ["hello"]
    assert deployment.stop("rooms")
    assert not deployment.stop("rooms")
    assert not deployment.remove("alice")
    assert not deployment.rooms.ask("ListRooms", "")
    run(deployment, [a, b], 1.0)
    closed = [event for event in b.take_events() if isinstance(event, ev.Reconnecting)]
    assert CloseReason.SERVER_SHUTDOWN in {event.reason for event in closed}
    assert deployment.revive("rooms")
    assert not deployment.revive("rooms")
    run(deployment, [a, b], 20.0)
    assert ev.Reconnected in kinds(b)
    assert deployment.delete_rooms("bob")
    run(deployment, [a, b], 10.0)
    assert ev.Reconnected in kinds(b)
    assert deployment.remove("bob")
    run(deployment, [a, b], 2.0)
    assert b.over
    b.vanish(deployment.clock.now)
    assert deployment.ban("alice")
    assert not deployment.ban("alice")
    run(deployment, [a, b], 2.0)
    assert a.over


def test_a_ban_holds_where_the_realm_is_down_too() -> None:
    deployment = Deployment(seed=2)
    assert deployment.kill("realm")
    assert deployment.ban("alice")
    assert deployment.revive("realm")
    (a,) = people(deployment, "alice")
    run(deployment, [a], 5.0)
    (end,) = [event for event in a.take_events() if isinstance(event, ev.WorldClosed)]
    assert end.reason in {CloseReason.BANNED, CloseReason.DUPLICATE_IDENTITY}


def test_pulse_tells_that_it_ends_and_forgets_everybody() -> None:
    deployment = Deployment(seed=2)
    inhabitants = people(deployment, "alice", "bob")
    run(deployment, inhabitants, 4.0)
    first = deployment.pulse.server
    assert deployment.stop("pulse")
    assert not deployment.kill("pulse")
    run(deployment, inhabitants, 1.0)
    told = [one for one in inhabitants[0].take_events() if isinstance(one, ev.Reconnecting)]
    assert [one.room for one in told] == ["pulse"]
    assert deployment.revive("pulse")
    assert deployment.realm.server is not None
    assert deployment.realm.server.pulse is deployment.pulse.server is not first
    run(deployment, inhabitants, 10.0)
    assert deployment.pulse.server is not None
    assert len(deployment.pulse.server.players()) == 2


def test_the_realm_comes_back_with_the_pulse_that_there_is_or_without_one() -> None:
    deployment = Deployment(seed=2)
    for service in SERVICES:
        deployment.kill(service)
    assert deployment.deadline() is None
    deployment.run()
    deployment.pulse.handle_timeout(1.0)
    deployment.realm.handle_timeout(1.0)
    deployment.rooms.handle_timeout(1.0)
    assert deployment.revive("realm")
    server = deployment.realm.server
    assert server is not None
    assert server.pulse is not None, "it has one of its own, which nobody reaches"
    assert deployment.revive("pulse")
    assert server.pulse is deployment.pulse.server
    older = Deployment(settings=RealmSettings(islands="heartbeats"))
    assert older.realm.server is not None
    assert older.realm.server.pulse is None
    (a,) = people(older, "alice")
    run(older, [a], 8.0)
    assert ev.IslandChanged in kinds(a)


def test_who_is_cut_off_from_one_server_reaches_the_others() -> None:
    deployment = Deployment(seed=2, faults=Faults(give_up=5.0))
    a, b = inhabitants = people(deployment, "alice", "bob")
    run(deployment, inhabitants, 4.0)
    kinds(a)
    assert deployment.cut("alice", "realm")
    assert not deployment.cut("alice", "realm")
    assert deployment.cut("alice"), "from the others too"
    assert deployment.heal("alice", "rooms")
    run(deployment, inhabitants, 6.0)
    assert {event.room for event in a.take_events() if isinstance(event, ev.Reconnecting)} == {"pulse", "realm"}
    assert deployment.heal("alice")
    assert not deployment.heal("alice")
    for service in ("gatekeeper", ""):
        with pytest.raises(LocalProtocolError, match="realm, pulse, rooms"):
            deployment.cut("alice", service)  # type: ignore[arg-type]
    assert deployment.set_faults(Faults(latency=1.0))
    assert b.machine.name == "bob"


def test_a_turn_that_never_ends_is_told() -> None:
    deployment = Deployment()
    one = Inhabitant("alice", deployment)
    one.session.events = lambda: [ev.Reconnected(at=0.0, room="x", attempt=1)]  # type: ignore[method-assign]
    with pytest.raises(LocalProtocolError, match="never ends"):
        one.turn(0.0)
