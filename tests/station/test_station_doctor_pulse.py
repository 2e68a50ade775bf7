"""dcl-comms doctor where a realm leads to Pulse: the real one of an embedded realm, and what can stand in its place."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from dcl_comms_drivers import polled
from dcl_comms_drivers.wallet import LocalWallet
from dcl_comms_station.clean import short
from dcl_comms_station.doctor.findings import Problem
from dcl_comms_station.doctor.pulse import PulseVisit
from dcl_comms_station.exits import Exit
from dcl_comms_station.loops import LOOPS
from rigs.drivers.realm import realm

from dcl_comms_core import CloseReason, Retry, RoomClosed
from dcl_comms_core.pulse.reasons import ENDINGS, DisconnectReason
from dcl_comms_core.servers.pulse import PulseSettings

BOTH_LOOPS = pytest.mark.parametrize("loop", sorted(LOOPS))
WAY = ("string", "name", "tcp", "http", "wallet", "about")
PULSE = ("pulse", "handshake", "nearby")
ISLAND = ("service", "island", "token", "join", "announced", "leave")
BEHIND_ISLAND = ISLAND[2:]
WALLET = LocalWallet(f"{7:064x}")


@pytest.fixture
def place():
    with realm() as one:
        yield one


@pytest.fixture
def key(tmp_path):
    file = tmp_path / "bot.key"
    WALLET.save(file)
    return str(file)


@pytest.fixture
def black_hole():
    """A port where what comes is never answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as hole:
        hole.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{hole.getsockname()[1]}"


@pytest.fixture
def closed_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    return f"127.0.0.1:{port}"


def statuses(findings):
    return {name: finding["status"] for name, finding in findings.items()}


def without_an_island(*, pulse, handshake):
    """Pulse's stages as given, and no island for want of it."""
    stages = {**dict.fromkeys(WAY, "ok"), "pulse": pulse, "handshake": handshake, "nearby": "skipped", "service": "ok"}
    return {**stages, "island": "failed", **dict.fromkeys(BEHIND_ISLAND, "skipped")}


@BOTH_LOOPS
def test_a_realm_whose_islands_pulse_forms(examine, place, loop):
    code, findings = examine(place.url, "--loop", loop)
    assert (code, statuses(findings)) == (Exit.OK, {**dict.fromkeys((*WAY, *PULSE, *ISLAND), "ok"), "token": "skipped"})
    assert list(findings) == [*WAY, *PULSE, *ISLAND]
    assert findings["pulse"]["detail"] == f"{place.pulse_at} answers over UDP"
    assert findings["nearby"]["detail"] == "nobody is near, within 2 s"
    assert findings["island"]["detail"] == "island-C1, a room of ws-room:"
    assert findings["join"]["detail"].startswith("'island-C1', as 0x")
    assert all(findings[stage]["seconds"] > 0.0 for stage in PULSE)
    assert place.players == ()


def test_somebody_who_is_near_and_on_another_island_is_seen(examine, place):
    """They are told of by Pulse, and are no others of the room."""
    with polled.open(place.url, wallet=WALLET, position=(150.0, 0.0, 8.0)) as other:
        end = time.monotonic() + 40
        while other.island is None:
            assert time.monotonic() < end
            other.poll()
            time.sleep(0.01)
        _, findings = examine(place.url, "--at", "8,0,8", "--timeout", "20")
    assert findings["nearby"]["detail"] == f"1 near: {short(WALLET.address.lower())}"
    assert findings["nearby"]["seconds"] < 2.0
    # It takes more than 100 metres to be on islands apart.
    assert findings["join"]["detail"].endswith(", with 0 others")


@BOTH_LOOPS
def test_a_blocked_port(examine, place, black_hole, loop):
    code, findings = examine(place.url, "--pulse", black_hole, "--timeout", "3", "--loop", loop)
    assert (code, statuses(findings)) == (Exit.NETWORK, without_an_island(pulse="failed", handshake="skipped"))
    assert f"nothing came from {black_hole} over UDP" in findings["pulse"]["detail"]
    assert "firewall" in findings["pulse"]["fix"]
    assert "--pulse none" in findings["pulse"]["fix"]
    assert findings["island"]["detail"] == "no island within 3 s"
    assert "not on it" in findings["island"]["fix"]


def test_a_port_where_nobody_listens(examine, place, closed_port):
    code, findings = examine(place.url, "--pulse", closed_port, "--timeout", "3")
    assert (code, statuses(findings)) == (Exit.NETWORK, without_an_island(pulse="failed", handshake="skipped"))
    assert f"nothing listens at {closed_port}" in findings["pulse"]["detail"]
    assert "no service is at this port" in findings["pulse"]["fix"]
    assert "firewall" not in findings["pulse"]["fix"]


def test_a_host_that_is_none(examine, place):
    code, findings = examine(place.url, "--pulse", "nobody.invalid", "--timeout", "3")
    assert (code, findings["pulse"]["status"]) == (Exit.NETWORK, "failed")
    assert findings["pulse"]["fix"].startswith("see the text; --pulse HOST:PORT names another host")


def test_a_wallet_that_pulse_alone_does_not_let_in(examine, place, key):
    with realm() as other:
        other.ban(WALLET.address)
        code, findings = examine(place.url, "--pulse", other.pulse_at, "--wallet", key, "--timeout", "4")
    assert (code, statuses(findings)) == (Exit.REFUSED, without_an_island(pulse="ok", handshake="failed"))
    assert "banned" in findings["handshake"]["detail"]
    assert "another wallet" in findings["handshake"]["fix"]


def test_too_many_of_our_address(examine, place):
    with realm(pulse=PulseSettings(address_players=0)) as other:
        code, findings = examine(place.url, "--pulse", other.pulse_at, "--timeout", "4")
    assert (code, statuses(findings)) == (Exit.REFUSED, without_an_island(pulse="ok", handshake="failed"))
    assert "too many players of our address" in findings["handshake"]["detail"]
    assert "wait five minutes" in findings["handshake"]["fix"]


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (DisconnectReason.AUTH_FAILED, "set this machine's clock"),
        (DisconnectReason.DUPLICATE_SESSION, "an explorer for one"),
        (DisconnectReason.BANNED, "banned from Pulse"),
        (DisconnectReason.SERVER_FULL, "it is full"),
        (DisconnectReason.GRACEFUL, "restarted"),
        (DisconnectReason.INVALID_INPUT_FIELD, "see the text"),
    ],
)
def test_what_to_do_when_it_hangs_up(number, word):
    end = ENDINGS[number]

    async def turn():
        visit.step(2.0, RoomClosed(at=2.0, room="island", reason=CloseReason.CLIENT, retry=Retry.NEVER, detail=""))
        visit.step(3.0, RoomClosed(at=3.0, room="pulse", reason=end.reason, retry=end.retry, detail=end.detail))
        return True

    visit = PulseVisit(turn, 40.0)
    with pytest.raises(Problem) as caught:
        asyncio.run(visit.await_welcome())
    assert caught.value.detail == f"{end.reason.value}: {end.detail}"
    assert word in caught.value.fix


def test_a_wallet_that_is_let_in_nowhere(examine, place, key):
    """Whichever service says so first."""
    place.ban(WALLET.address)
    code, findings = examine(place.url, "--wallet", key)
    assert code == Exit.REFUSED
    failed = [stage for stage in ("handshake", "service") if findings[stage]["status"] == "failed"]
    assert failed
    assert all("banned" in findings[stage]["detail"] for stage in failed)


def test_pulse_where_the_realm_forms_islands_by_itself(examine, black_hole):
    """What is wrong with it is said, and the way in goes on."""
    with realm(islands="heartbeats") as plain:
        code, findings = examine(plain.url, "--pulse", black_hole, "--timeout", "3")
        assert (code, findings["pulse"]["status"], findings["island"]["status"]) == (Exit.NETWORK, "failed", "ok")
        code, findings = examine(plain.url)
        assert (code, set(PULSE) & set(findings)) == (Exit.OK, set())


def test_pulse_that_is_not_wanted(examine, place):
    code, findings = examine(place.url, "--pulse", "none", "--timeout", "3")
    assert (code, set(PULSE) & set(findings), findings["island"]["status"]) == (Exit.NETWORK, set(), "failed")
    assert "--pulse HOST:PORT" in findings["island"]["fix"]
