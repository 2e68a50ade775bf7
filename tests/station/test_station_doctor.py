"""dcl-comms doctor: every failure provoked for real, on loopback, and a visit to a real livekit-server."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from email.utils import formatdate

import pytest
from dcl_comms_drivers.net import dial
from dcl_comms_station.exits import Exit
from dcl_comms_station.loops import LOOPS
from rigs.drivers.serving import serving
from rigs.drivers.tokens import make_token

BOTH_LOOPS = pytest.mark.parametrize("loop", sorted(LOOPS))
TOKEN = make_token(ttl=86_400.0)  # made when tests are collected, and they may run for long
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n%s\r\nsuccess"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A server's TLS context, with a certificate for 127.0.0.1 that nobody trusts, and the certificate's file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    key, file = folder / "key.pem", folder / "cert.pem"
    ask = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", file]
    subprocess.run([openssl, *ask.split(), *more], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return context, file


def livekit(port, scheme="ws", token=TOKEN):
    return f"livekit:{scheme}://127.0.0.1:{port}?access_token={token}"


def statuses(findings):
    return {name: finding["status"] for name, finding in findings.items()}


SKIPPED = dict.fromkeys(("join", "announced", "packets", "leave"), "skipped")


# --- the way there


@BOTH_LOOPS
def test_nobody_listens(examine, loop):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    code, findings = examine(livekit(port), "--loop", loop)
    assert code == Exit.NETWORK
    assert statuses(findings) == {
        **dict.fromkeys(("string", "token", "name", "engine"), "ok"),
        "tcp": "failed",
        "http": "skipped",
        **SKIPPED,
    }
    assert findings["tcp"]["detail"] == f"nothing takes connections at port {port}: connection refused"
    assert "check the port" in findings["tcp"]["fix"]


@BOTH_LOOPS
def test_a_name_that_has_no_address(examine, loop):
    code, findings = examine(f"livekit:wss://no-such-host.invalid?access_token={TOKEN}", "--loop", loop)
    assert code == Exit.NETWORK
    assert findings["name"]["status"] == "failed"
    assert findings["name"]["detail"].startswith("no-such-host.invalid has no address: ")
    assert statuses(findings)["tls"] == "skipped"


@BOTH_LOOPS
def test_tls_to_a_plain_port(examine, loop):
    with serving(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (port, _):
        code, findings = examine(livekit(port, "wss"), "--loop", loop)
    assert code == Exit.NETWORK
    assert findings["tls"]["status"] == "failed"
    assert "write ws://" in findings["tls"]["fix"]


@BOTH_LOOPS
@pytest.mark.parametrize("last_words", [b"\x15\x03\x01\x00\x02\x02\x46", b""])
def test_plain_to_a_port_that_wants_tls(examine, loop, last_words):
    with serving(last_words) as (port, _):
        code, findings = examine(livekit(port), "--loop", loop)
    assert code == Exit.NETWORK
    assert findings["http"]["status"] == "failed"
    assert "write wss://" in findings["http"]["fix"]


def test_plain_to_a_real_tls_server(examine, certificate):
    with serving(OK, context=certificate[0]) as (port, _):
        code, findings = examine(livekit(port))
    assert code == Exit.NETWORK
    assert "write wss://" in findings["http"]["fix"]


@BOTH_LOOPS
def test_a_certificate_that_nobody_trusts(examine, certificate, loop):
    with serving(OK % b"", context=certificate[0]) as (port, heard):
        code, findings = examine(livekit(port, "wss"), "--loop", loop)
    assert code == Exit.NETWORK
    assert "the certificate is not accepted" in findings["tls"]["detail"]
    assert "no authority that this machine trusts" in findings["tls"]["fix"]
    assert heard == []


@BOTH_LOOPS
def test_a_certificate_that_is_trusted(examine, certificate, loop, monkeypatch):
    context, file = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    # Made once for a process, perhaps by another test with another environment.
    monkeypatch.setattr(dial, "default_tls", ssl.create_default_context)
    with serving(OK % b"", context=context) as (port, heard):
        code, findings = examine(f"https://127.0.0.1:{port}/realm", "--loop", loop)
    assert (code, findings["tls"]["status"], findings["http"]["detail"]) == (Exit.PROTOCOL, "ok", "status 200")
    assert heard[0].startswith(b"GET /realm/about HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"Authorization" not in heard[0]
    assert findings["wallet"]["detail"].endswith(", a guest")
    assert (
        findings["about"]["detail"]
        == "the server broke the rules: HTTP 200: the server broke the rules: not a JSON object: success"
    )
    with serving(OK % b"", context=context) as (port, _):
        code, findings = examine(f"https://localhost:{port}", "--loop", loop)
    assert "the certificate is for another name" in findings["tls"]["fix"]


@BOTH_LOOPS
@pytest.mark.parametrize(("scheme", "stage"), [("ws", "http"), ("wss", "tls")])
def test_a_server_that_accepts_and_says_nothing(examine, loop, scheme, stage):
    with serving(keep_open=True) as (port, _):
        code, findings = examine(livekit(port, scheme), "--loop", loop, "--timeout", "2")
    assert code == Exit.NETWORK
    assert findings[stage]["status"] == "failed"
    assert findings[stage]["detail"] == "no answer within 2 s"
    assert findings[stage]["seconds"] > 1.9


@pytest.mark.parametrize(
    ("answer", "status", "detail", "fix"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", Exit.PROTOCOL, "no HTTP", "another service"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", Exit.NETWORK, "status 404", "path of the URL"),
        (b"HTTP/1.1 301 Moved\r\nLocation: /\r\n\r\n", Exit.NETWORK, "status 301", "redirects"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", Exit.NETWORK, "status 502", "try again later"),
        (
            b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
            4,
            "wants TLS",
            "wss://",
        ),
        (b"HTTP/1.1 400 Bad Request\r\n\r\nidentity cannot be empty", Exit.PROTOCOL, "status 400", "an identity"),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\nof some other kind", Exit.REFUSED, "status 401", "new connection string"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 20_000, Exit.OK, "status 200", None),
    ],
)
def test_what_a_server_may_answer(examine, answer, status, detail, fix):
    with serving(answer) as (port, heard):
        _, findings = examine(livekit(port, token=TOKEN), "--timeout", "2")
    assert heard[0].startswith(b"GET /rtc/validate HTTP/1.1\r\n")
    assert f"Authorization: Bearer {TOKEN}\r\n".encode() in heard[0]
    http = findings["http"]
    assert http["exit_code"] == status
    assert detail in http["detail"]
    assert http["fix"] is fix is None or fix in http["fix"]


@pytest.mark.parametrize(("distance", "words"), [(-3600, "ahead of"), (3600, "behind")])
def test_a_clock_that_is_wrong(examine, distance, words):
    date = f"Date: {formatdate(time.time() + distance, usegmt=True)}\r\n".encode()
    with serving(OK % date) as (port, _):
        _, findings = examine(f"http://127.0.0.1:{port}")
    assert findings["http"]["status"] == "warning"
    assert f"s {words} the server's: set it" in findings["http"]["fix"]
    refused = b"HTTP/1.1 401 Unauthorized\r\n" + date + b"\r\ntoken is expired"
    with serving(refused) as (port, _):
        _, findings = examine(livekit(port))
    assert f"s {words} the server's: set it" in findings["http"]["fix"]
    with serving(OK % b"Date: yesterday\r\n") as (port, _):
        _, findings = examine(f"http://127.0.0.1:{port}")
    assert findings["http"]["status"] == "ok"


# --- strings and tokens


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("garbage", "begins with livekit:"),
        ("livekit:wss://comms.example.com", "copy the whole string"),
        ("livekit:wss://comms.example.com?access_token=abc", "cut short"),
        ("https://[broken", "begins with livekit:"),
        ("https://host:99999999", "begins with livekit:"),
        ("https://", "begins with livekit:"),
    ],
)
def test_what_is_no_target(examine, target, words):
    code, findings = examine(target)
    assert code == Exit.USAGE
    assert list(findings) == ["string"]
    assert words in findings["string"]["fix"]


@pytest.mark.parametrize(
    ("claims", "detail", "fix"),
    [
        ({"ttl": -60.0}, "expired", "set this machine's clock"),
        ({"claims": {"nbf": time.time() + 3600}}, "not valid", "set this machine's clock"),
        ({"roomJoin": False}, "roomJoin", "grants roomJoin"),
    ],
)
def test_a_token_that_can_not_be_used(examine, claims, detail, fix):
    with serving(OK % b"") as (port, _):
        code, findings = examine(livekit(port, token=make_token(**claims)))
    assert code == Exit.REFUSED
    assert findings["token"]["status"] == "failed"
    assert detail in findings["token"]["detail"]
    assert fix in findings["token"]["fix"]
    # The server's opinion is asked for all the same.
    assert findings["http"]["status"] == "ok"
    assert findings["join"]["detail"] == "needs token"


# --- rooms


@BOTH_LOOPS
def test_a_simulated_room(examine, memory_room, loop):
    code, findings = examine(memory_room("me"), "--loop", loop)
    assert code == Exit.OK
    assert statuses(findings) == dict.fromkeys(("string", "join", "announced", "packets", "leave"), "ok")
    assert "a second token" in findings["packets"]["not_shown"]


def test_a_realm_that_is_offline(examine):
    code, findings = examine("offline:offline")
    assert code == Exit.OK
    assert "nothing to join" in findings["join"]["detail"]


@pytest.mark.livekit
@BOTH_LOOPS
def test_a_real_server(examine, livekit_room, loop):
    room = livekit_room()
    code, findings = examine(room.connection_string("0xDoctor"), "--loop", loop)
    assert code == Exit.OK, findings
    stages = ("string", "token", "name", "tcp", "http", "engine", "join", "announced", "packets", "leave")
    assert statuses(findings) == dict.fromkeys(stages, "ok")
    assert all(finding["seconds"] >= 0.0 for finding in findings.values())
    assert findings["join"]["detail"].startswith("as 0xDoctor, with 0 others")
    # The server takes a moment to take note of a leave.
    deadline = time.monotonic() + 40.0
    while "0xDoctor" in room.server.list_participants(room.name):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.livekit
@pytest.mark.parametrize(
    ("claims", "detail"),
    [
        ({"ttl": -300.0}, "the token has expired"),
        ({"claims": {"nbf": int(time.time()) + 3600}}, "the token is not valid yet"),
        ({"secret": "of another server, and long enough to sign"}, "the token's signature is wrong"),
        ({"key": "APIunknown"}, "the server does not know the token's issuer"),
        ({"roomJoin": False}, "the token does not allow joining"),
    ],
)
def test_a_real_server_refuses(examine, livekit_room, claims, detail):
    room = livekit_room()
    token = make_token(**{"room": room.name, "key": room.server.key, "secret": room.server.secret, **claims})
    code, findings = examine(f"livekit:{room.url}?access_token={token}")
    assert code == Exit.REFUSED
    assert findings["http"]["detail"] == f"status 401: {detail}"
    assert findings["join"]["status"] == "skipped"


@pytest.mark.livekit
def test_another_path_of_a_real_server(examine, livekit_room):
    room = livekit_room()
    token = room.token("0xDoctor")
    code, findings = examine(f"livekit:{room.url}/elsewhere?access_token={token}")
    assert code == Exit.NETWORK
    assert findings["http"]["detail"] == "status 404 for /elsewhere/rtc/validate"


@pytest.mark.livekit
@pytest.mark.parametrize("engine", ["rtc", "livekit"])
def test_tokens_that_allow_less(examine, livekit_room, monkeypatch, request, engine):
    if engine == "rtc":
        request.getfixturevalue("rtc")
    monkeypatch.setenv("DCL_COMMS_ENGINE", engine)
    room = livekit_room()
    keys = {"room": room.name, "key": room.server.key, "secret": room.server.secret}
    silent = make_token(**keys, canPublishData=False)
    code, findings = examine(f"livekit:{room.url}?access_token={silent}")
    assert code == Exit.REFUSED
    assert findings["token"]["status"] == "warning"
    assert "canPublishData" in findings["packets"]["fix"]
    assert findings["leave"]["status"] == "ok"
    unknown = make_token(**keys, canUpdateOwnMetadata=False, canPublish=False)
    code, findings = examine(f"livekit:{room.url}?access_token={unknown}")
    assert code == Exit.OK
    # Our own engine needs no more than the right to send packets.
    assert findings["announced"]["status"] == ("ok" if engine == "rtc" else "warning")
    assert ("3 s late" in findings["announced"]["detail"]) is (engine == "livekit")
    mute = make_token(**keys, canUpdateOwnMetadata=False, canPublish=False, canPublishData=False)
    code, findings = examine(f"livekit:{room.url}?access_token={mute}")
    assert "3 s late" in findings["announced"]["detail"]
    assert ("canPublishData" in findings["announced"]["fix"]) is (engine == "rtc")


def test_lines_for_people(run_cli):
    result = run_cli("doctor", "livekit:wss://comms.example.com", "--timeout", "1")
    first, second = result.stdout.splitlines()
    assert first.startswith("failed   string ")
    assert second.strip().startswith("-> the part ?access_token=... is missing")
    assert result.exit_code == Exit.USAGE
