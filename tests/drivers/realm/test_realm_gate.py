"""Whom the embedded realm answers: programs and pages of this machine, and whom its owner names."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import ExitStack, closing

import pytest
from dcl_comms_drivers.gate import Gate
from rigs.drivers.realm import realm

from dcl_comms_core import LocalProtocolError

PORT = 8000
NEAR = ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "LocalHost:8000"]
FAR = [
    "evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "127.0.0.1:", "127.0.0.1:8000:8000", "", "127.0.0.1:8000.evil.example",
    "localhost.evil.example:8000", "127.0.0.1:8000, evil.example", "x@127.0.0.1:8000", "[::1:8000", "::1:8000", "127.0.0.1:8000\n", "0.0.0.0:8000",
    "127.0.0.1:99999999999", "127.0.0.1:\u0668000",
]  # fmt: skip
PAGES = [
    "http://127.0.0.1:3000",
    "http://localhost",
    "https://localhost:8443",
    "http://[::1]:1",
    "http://127.9.9.9",
    "HTTP://LOCALHOST",
]
OTHER_PAGES = [
    "https://evil.example", "null", "", "http://127.0.0.1.evil.example", "http://localhost.evil.example", "http://evil.example:127", "file://",
    "http://127.0.0.1, https://evil.example", "http://localhost@evil.example", "https://10.0.0.1", "http://127.1", "http://[fe80::1]", "ws://localhost",
    "http://localhost/", "chrome-extension://localhost", "http://2130706433", "http://\u2113ocalhost",
]  # fmt: skip


def lets_in(gate=None, port=PORT, **headers):
    return (gate or Gate()).refusal({"host": f"127.0.0.1:{port}", **headers}, port=port) is None


def test_who_asks_for_this_machine_is_answered():
    assert [host for host in NEAR if not lets_in(host=host)] == []
    assert [host for host in FAR if lets_in(host=host)] == []
    assert Gate().refusal({}, port=PORT) is not None
    assert lets_in(host="127.0.0.1", port=80)
    assert not lets_in(host="127.0.0.1:443", port=80)


def test_pages_of_this_machine_are_let_in():
    assert [page for page in PAGES if not lets_in(origin=page)] == []
    assert [page for page in OTHER_PAGES if lets_in(origin=page)] == []
    # A near page does not make a far host near.
    assert not lets_in(host="evil.example:8000", origin="http://localhost:8000")


def test_others_can_be_named():
    gate = Gate(
        hosts=["10.0.0.5", "Realm.Example:8000"],
        origins=["https://Mine.example", "https://usual.example:443", "http://[::2]:80"],
    )
    assert all(lets_in(gate, host=host) for host in ("10.0.0.5", "10.0.0.5:9", "realm.example:8000", *NEAR))
    assert not any(lets_in(gate, host=host) for host in ("10.0.0.50", "realm.example", "realm.example:8001"))
    assert all(
        lets_in(gate, origin=page) for page in ("https://mine.example", "https://usual.example", "http://[::2]", *PAGES)
    )
    assert not any(
        lets_in(gate, origin=page)
        for page in ("http://mine.example", "https://mine.example:8443", "https://x.mine.example")
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"hosts": ["http://x"]}, {"hosts": ["*"]}, {"hosts": "10.0.0.5"}, {"hosts": [""]},
        {"origins": ["mine.example"]}, {"origins": ["https://mine.example/"]}, {"origins": ["*"]}, {"origins": ["null"]}, {"origins": "https://x"},
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused_when_it_is_given(wrong):
    with pytest.raises(LocalProtocolError, match=r"write|list"), realm(**wrong):
        pytest.fail("it began")


def ask(one, path="/about", method="GET", body=b"", upgrade=False, **headers):
    """The status of an answer, and what it says."""
    port = int(one.url.rpartition(":")[2])
    given = {"host": f"127.0.0.1:{port}", "content-length": str(len(body)), **headers}
    if upgrade:
        given |= {
            "upgrade": "websocket",
            "connection": "upgrade",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65_536):
            answer += piece
    return int(answer.split(b" ", 2)[1]), answer.partition(b"\r\n\r\n")[2]


SOCKETS = ("/archipelago/ws", "/ws", "/rooms/a", "/realm/rooms/a")


def test_the_realm_asks_it_of_requests_and_of_sockets():
    evil = {"origin": "https://evil.example"}, {"host": "evil.example"}, {"origin": "null"}
    with realm() as one:
        for headers in evil:
            for path in SOCKETS:
                status, told = ask(one, path, upgrade=True, **headers)
                assert (status, list(json.loads(told))) == (403, ["error"])
            for method, path in (
                ("GET", "/about"),
                ("POST", "/get-scene-adapter"),
                ("POST", "/lambdas/profiles"),
                ("GET", "/nowhere"),
            ):
                assert ask(one, path, method, **headers)[0] == 403
        assert one.peers == frozenset()
        for headers in ({}, {"origin": one.url}, {"origin": "http://localhost:3000"}):
            assert ask(one, **headers)[0] == 200
            assert [ask(one, path, upgrade=True, **headers)[0] for path in SOCKETS] == [101] * 4


def test_the_realm_answers_whom_its_owner_names():
    with realm(hosts=["10.77.0.1"], origins=["https://mine.example"]) as one:
        assert ask(one, host="10.77.0.1:8080", origin="https://mine.example")[0] == 200
        assert ask(one, "/ws", upgrade=True, host="10.77.0.1:8080", origin="https://mine.example")[0] == 101
        assert ask(one, origin="https://evil.example")[0] == 403
        # Nothing of a body is waited for.
        assert ask(one, "/lambdas/profiles", "POST", host="evil.example", **{"content-length": "1000"})[0] == 403


HOST_PROGRAM = """
import resource, sys
from dcl_comms_core import Limits
from dcl_comms_drivers.realm.embedded import realm_in_thread
resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
with realm_in_thread(livekit=False, limits=Limits(server_request_seconds=50.0)) as realm:
    print(realm.url.rpartition(":")[2], flush=True)
    sys.stdin.readline()
    files = [open("/dev/null") for _ in range(60)]
    print("opened", flush=True)
    sys.stdin.readline()
"""


def test_clients_leave_descriptors_to_the_program_around_it():
    """Limits.server_connections is more than what many systems let a process have."""
    program = subprocess.Popen(
        [sys.executable, "-c", HOST_PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with program, ExitStack() as stack:
        port = int(program.stdout.readline())
        held = [stack.enter_context(closing(socket.create_connection(("127.0.0.1", port), 5))) for _ in range(400)]
        hung_up = [one for one in held if is_hung_up_on(one)]
        assert 250 < len(hung_up) < 390
        program.stdin.write("\n")
        program.stdin.flush()
        assert program.stdout.readline() == "opened\n"
        # Who has a place is served.
        last = next(one for one in held if one not in hung_up)
        last.sendall(f"GET /about HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n".encode())
        assert last.recv(100).startswith(b"HTTP/1.1 200")
        program.stdin.close()
        assert (program.wait(20), program.stderr.read()) == (0, "")


def is_hung_up_on(connection):
    connection.settimeout(0.01)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True
