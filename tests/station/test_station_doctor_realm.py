"""dcl-comms doctor on realms: embedded ones, and servers that only seem to be one."""

from __future__ import annotations

import json
import sys
import time

import pytest
from dcl_comms_drivers import polled
from dcl_comms_drivers.connection.surroundings import Surroundings
from dcl_comms_drivers.wallet import DisposableWallet
from dcl_comms_station.exits import Exit
from dcl_comms_station.loops import LOOPS
from rigs.drivers.logins import login
from rigs.drivers.serving import serving

BOTH_LOOPS = pytest.mark.parametrize("loop", sorted(LOOPS))
WAY = ("string", "name", "tcp", "http", "wallet", "about")
PULSE = ("pulse", "handshake", "nearby")
ISLAND = (*WAY, "service", "island", "token", "join", "announced", "leave")


def statuses(findings):
    return {name: finding["status"] for name, finding in findings.items()}


def failed_at(stage, stages):
    """Every stage before it went well, every one after it was skipped."""
    at = stages.index(stage)
    return {name: "ok" if n < at else "failed" if n == at else "skipped" for n, name in enumerate(stages)}


def about(**comms):
    body = json.dumps({"healthy": True, "comms": {"healthy": True, "protocol": "v3", **comms}, "configurations": {}})
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n{body}".encode()


@BOTH_LOOPS
@pytest.mark.dcl_realm(islands="heartbeats", livekit=False)
def test_a_healthy_realm_that_forms_islands_from_heartbeats(examine, dcl_realm, loop):
    code, findings = examine(dcl_realm.url, "--loop", loop)
    assert (code, statuses(findings)) == (Exit.OK, {**dict.fromkeys(ISLAND, "ok"), "token": "skipped"})
    me = findings["wallet"]["detail"].removesuffix(", a guest")
    assert findings["about"]["detail"] == "embedded, by archipelago:"
    assert findings["service"]["detail"] == f"knows us as {me}"
    assert findings["island"]["detail"] == "I1 of 1, a room of ws-room:"
    assert findings["join"]["detail"] == f"'I1', as {me}, with 0 others"
    assert dcl_realm.peers == frozenset()


@pytest.mark.livekit
@pytest.mark.dcl_realm(livekit=True)
def test_a_realm_with_livekit(examine, dcl_realm):
    code, findings = examine(dcl_realm.url)
    assert (code, statuses(findings)) == (Exit.OK, dict.fromkeys((*ISLAND, *PULSE), "ok"))
    assert " in room island-C1, valid for " in findings["token"]["detail"]


def test_a_world(examine, dcl_realm):
    code, findings = examine(f"{dcl_realm.url}/world/foo")
    assert (code, statuses(findings)) == (Exit.OK, dict.fromkeys((*WAY, *PULSE, "join", "announced", "leave"), "ok"))
    assert findings["about"]["detail"] == "foo, by signed-login:"


@pytest.mark.dcl_realm(islands="heartbeats")
def test_what_asks_for_a_wallet_and_is_no_realm(examine, dcl_realm):
    host = dcl_realm.url.removeprefix("http://")
    way, ends = ("string", "name", "tcp", "wallet"), ("join", "announced", "leave")
    for target, stages in (
        (f"ws-room:ws://{host}/rooms/x", (*way, *ends)),
        (f"archipelago:ws://{host}/archipelago/ws", (*way, "service", "island", *ends)),
    ):
        code, findings = examine(target)
        findings.pop("token", None)
        assert (code, statuses(findings)) == (Exit.OK, dict.fromkeys(stages, "ok"))


@pytest.mark.dcl_realm(islands="heartbeats")
def test_where_we_are_decides_and_how_many_are_there_is_said(examine, dcl_realm):
    with polled.open(dcl_realm.url, wallet=DisposableWallet(), position=(500.0, 0.0, 0.0)) as other:
        end = time.monotonic() + 40
        while other.island is None:
            assert time.monotonic() < end
            other.poll()
            time.sleep(0.01)
        _, findings = examine(dcl_realm.url, "--at", "500,0,1")
        assert findings["island"]["detail"].startswith(f"{other.island.island} of 2, ")
        _, findings = examine(dcl_realm.url)
        assert " of 1, " in findings["island"]["detail"]


# --- what can be wrong


def test_a_realm_that_is_down(examine, dcl_realm):
    dcl_realm.down()
    code, findings = examine(dcl_realm.url)
    assert (code, statuses(findings)) == (Exit.NETWORK, failed_at("tcp", WAY))
    dcl_realm.up()


def test_a_realm_that_is_not_healthy(examine, dcl_realm):
    dcl_realm.set_healthy(False)
    code, findings = examine(dcl_realm.url)
    assert (code, statuses(findings)) == (Exit.NETWORK, failed_at("http", WAY))
    assert findings["http"]["detail"] == "status 503: the realm says that it is not healthy"


@pytest.mark.dcl_realm(islands="heartbeats")
@pytest.mark.parametrize(("way", "stage"), [("ban", "service"), ("deny", "service")])
def test_a_wallet_that_is_not_let_in(examine, dcl_realm, tmp_path, way, stage):
    wallet, file = DisposableWallet(), tmp_path / "bot.key"
    wallet.save(file)
    getattr(dcl_realm, way)(wallet.address)
    code, findings = examine(dcl_realm.url, "--wallet", str(file))
    assert (code, statuses(findings)) == (Exit.REFUSED, failed_at(stage, ISLAND))
    assert findings["wallet"]["detail"] == f"{wallet.address.lower()}, a key of yours"
    assert "another wallet" in findings[stage]["fix"]


def test_a_login_that_was_made_elsewhere(examine, dcl_realm, tmp_path):
    wallet, file = DisposableWallet(), tmp_path / "login.json"
    login(wallet, file, 3600)
    code, findings = examine(dcl_realm.url, "--wallet", str(file))
    assert code == Exit.OK
    assert findings["wallet"]["detail"] == f"{wallet.address.lower()}, a login that was made elsewhere"
    login(wallet, file, 30)
    code, findings = examine(dcl_realm.url, "--wallet", str(file))
    assert (code, statuses(findings)) == (Exit.USAGE, failed_at("wallet", WAY))
    assert "expire" in findings["wallet"]["detail"]


def test_a_key_file_that_is_refused(examine, dcl_realm, tmp_path):
    file = tmp_path / "bot.key"
    DisposableWallet().save(file)
    file.chmod(0o640)
    code, findings = examine(dcl_realm.url, "--wallet", str(file))
    assert (code, statuses(findings)) == (Exit.USAGE, failed_at("wallet", WAY))
    assert "chmod 600" in findings["wallet"]["detail"]


def test_without_the_extra_it_says_what_to_install(run_process, dcl_realm):
    without = "import sys; sys.modules['coincurve'] = None; from dcl_comms_station.entry import main; sys.exit(main())"
    service = f"archipelago:ws{dcl_realm.url.removeprefix('http')}/archipelago/ws"
    for target, code, stage in ((dcl_realm.url, Exit.REFUSED, "service"), (service, Exit.USAGE, "wallet")):
        result = run_process("doctor", target, "--json", command=[sys.executable, "-c", without])
        failed = [json.loads(line) for line in result.stdout.splitlines() if '"failed"' in line]
        assert (result.returncode, [finding["stage"] for finding in failed]) == (code, [stage])
        assert 'pip install "dcl-comms[wallet]"' in failed[0]["detail"] + failed[0]["fix"]


def test_options_that_are_not_for_this_target(examine):
    for target in ("simulator:x?identity=me", "ws-room:ws://127.0.0.1:9/x"):
        code, findings = examine(target, "--at", "1,2,3")
        assert (code, list(findings)) == (Exit.USAGE, ["string"])
        assert "--at is for realms" in findings["string"]["detail"]


def test_a_clock_that_the_server_does_not_accept(examine, dcl_realm, monkeypatch):
    monkeypatch.setattr(Surroundings, "unix_now", lambda self: time.time() - 3600.0)
    code, findings = examine(f"{dcl_realm.url}/world/foo")
    assert (code, findings["join"]["status"]) == (Exit.REFUSED, "failed")
    assert findings["join"]["detail"].startswith("this machine's clock differs from the server's")
    assert "set this machine's clock" in findings["join"]["fix"]


def test_worlds_that_take_nobody(examine, dcl_realm):
    dcl_realm.throttle(9)
    code, findings = examine(f"{dcl_realm.url}/world/foo")
    assert (code, "wait a minute" in findings["join"]["fix"]) == (Exit.REFUSED, True)
    dcl_realm.throttle(0)
    dcl_realm.set_full()
    code, findings = examine(f"{dcl_realm.url}/world/foo")
    assert (code, "it is full" in findings["join"]["fix"]) == (Exit.REFUSED, True)


def realm_whose_islands(answer):
    """/about as a realm has it; ``answer`` to whoever asks for islands."""

    def act(request):
        if b"GET /about " not in request:
            return answer
        host = request.lower().partition(b"host: ")[2].partition(b"\r\n")[0].decode()
        return about(adapter=f"archipelago:archipelago:ws://{host}/archipelago/ws")

    return serving(act)


@BOTH_LOOPS
def test_an_island_service_that_never_answers(examine, loop):
    with realm_whose_islands(None) as (port, _):
        code, findings = examine(f"http://127.0.0.1:{port}", "--timeout", "1.5", "--loop", loop)
    assert (code, statuses(findings)) == (Exit.NETWORK, failed_at("service", ISLAND))
    assert findings["service"]["detail"] == "no answer within 1.5 s"


def test_an_island_service_that_hangs_up(examine):
    with realm_whose_islands(b"") as (port, _):
        code, findings = examine(f"http://127.0.0.1:{port}")
    assert (code, statuses(findings)) == (Exit.NETWORK, failed_at("service", ISLAND))


def test_an_island_service_elsewhere_gets_no_signature(examine):
    with serving(about(adapter="archipelago:archipelago:ws://127.0.0.1:9/x")) as (port, _):
        code, findings = examine(f"http://127.0.0.1:{port}")
    assert (code, statuses(findings)) == (Exit.REFUSED, failed_at("service", ISLAND))
    assert "for another host than its own" in findings["service"]["fix"]


def test_a_realm_where_nobody_is_met(examine):
    with serving(about(adapter="offline:offline")) as (port, _):
        code, findings = examine(f"http://127.0.0.1:{port}")
    assert (code, statuses(findings)) == (Exit.OK, {**dict.fromkeys((*WAY, "leave"), "ok"), "about": "warning"})
    assert "nobody is met" in findings["about"]["fix"]


@pytest.mark.parametrize(
    ("answer", "code", "word"),
    [
        (about(protocol="v2", adapter="offline:offline"), Exit.PROTOCOL, "not the answer of a realm"),
        (about(adapter="lifekit:x"), Exit.PROTOCOL, "not the answer of a realm"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhtml", Exit.PROTOCOL, "not the answer of a realm"),
    ],
)
def test_what_is_no_realm(examine, answer, code, word):
    with serving(answer) as (port, _):
        answered, findings = examine(f"http://127.0.0.1:{port}")
    assert (answered, statuses(findings)) == (code, failed_at("about", WAY))
    assert word in findings["about"]["fix"]
