"""The gate: every request and handshake passes it, whatever the route, and only those of our own page get through."""

from __future__ import annotations

import asyncio

import pytest
from dcl_comms_station.web.app import make_app
from dcl_comms_station.web.gate import HEADERS, Gate, Tokens, judge
from dcl_comms_station.web.station import Station
from starlette.routing import Route, WebSocketRoute

TOKENS = Tokens("acting-token", "looking-token")
PORT = 8123
HOST = f"127.0.0.1:{PORT}"
OURS = {"host": HOST, "origin": f"http://{HOST}"}
PROTOCOLS = {"sec-websocket-protocol": "dcl-station.1, token.acting-token"}


def asked(kind="http", method="GET", path="/", **headers):
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return judge(kind, method, path, raw, port=PORT, tokens=TOKENS)


@pytest.mark.parametrize("host", [HOST, f"localhost:{PORT}", f"[::1]:{PORT}", f"LOCALHOST:{PORT}"])
def test_our_own_names_at_our_port_pass(host):
    assert asked(host=host).status == 0
    assert asked(host=host, origin=f"http://{host.lower()}").status == 0


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:1",
        "evil.example",
        f"evil.example:{PORT}",
        f"127.0.0.1.evil.example:{PORT}",
        "",
        f"0:{PORT}",
    ],
)
def test_other_hosts_do_not(host):
    assert asked(host=host).status == 403
    assert asked("websocket", path="/ws", **{**OURS, "host": host}, **PROTOCOLS).status == 403


def test_no_host_is_no_host_of_ours():
    assert asked().status == 403


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        f"https://{HOST}",
        "http://127.0.0.1",
        f"http://localhost:{PORT}",
        f"http://{HOST}.evil.example",
    ],
)
def test_other_origins_do_not(origin):
    assert asked(host=HOST, origin=origin).status == 403
    assert asked("websocket", path="/ws", host=HOST, origin=origin, **PROTOCOLS).status == 403


@pytest.mark.parametrize(
    ("site", "mode", "dest", "status"),
    [
        ("same-origin", "cors", "empty", 0),
        ("none", "navigate", "document", 0),
        ("cross-site", "navigate", "document", 0),
        ("cross-site", "navigate", "iframe", 403),
        ("cross-site", "no-cors", "script", 403),
        ("same-site", "cors", "empty", 403),
        ("cross-site", "cors", "document", 403),
    ],
)
def test_other_sites_may_navigate_and_nothing_else(site, mode, dest, status):
    fetch = {"sec_fetch_site": site, "sec_fetch_mode": mode, "sec_fetch_dest": dest}
    assert asked(host=HOST, **fetch).status == status
    verdict = asked("websocket", path="/ws", **OURS, **PROTOCOLS, **fetch)
    assert verdict.status == (0 if site in {"same-origin", "none"} else 403)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"])
def test_nothing_is_changed_by_http(method):
    assert asked(method=method, host=HOST).status == 405


def test_a_header_that_decides_may_come_once():
    twice = [(b"host", HOST.encode()), (b"host", b"evil.example")]
    assert judge("http", "GET", "/", twice, port=PORT, tokens=TOKENS).status == 403


@pytest.mark.parametrize(
    ("protocols", "status", "read_only"),
    [
        ("dcl-station.1, token.acting-token", 0, False),
        ("dcl-station.1,token.looking-token", 0, True),
        ("dcl-station.1", 403, False),
        ("token.acting-token", 403, False),
        ("dcl-station.1, token.", 403, False),
        ("dcl-station.1, token.acting-toke", 403, False),
        ("dcl-station.1, token.acting-token, token.acting-token", 403, False),
        ("dcl-station.1, token.\u00e4", 403, False),
        ("", 403, False),
    ],
)
def test_a_socket_needs_the_token(protocols, status, read_only):
    raw = [(name.encode(), value.encode()) for name, value in OURS.items()]
    raw.append((b"sec-websocket-protocol", protocols.encode("latin-1")))
    verdict = judge("websocket", "GET", "/ws", raw, port=PORT, tokens=TOKENS)
    assert (verdict.status, verdict.read_only) == (status, read_only)
    assert verdict.wrong_token is (status == 403)


def test_a_program_says_its_token_as_a_bearer_and_has_no_origin():
    assert asked("websocket", path="/ws", host=HOST, authorization="Bearer acting-token").status == 0
    assert asked("websocket", path="/ws", host=HOST, authorization="Bearer wrong").status == 403
    assert asked("websocket", path="/ws", host=HOST, **PROTOCOLS).status == 403


@pytest.mark.parametrize("path", ["/", "/ws/", "/other", "/alive"])
def test_sockets_are_at_one_path(path):
    assert asked("websocket", path=path, **OURS, **PROTOCOLS).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": HOST, "origin": "http://evil.example"},
        {"host": HOST, "sec_fetch_site": "cross-site"},
        {"host": HOST, "authorization": "Bearer x"},
        {"host": HOST},
        {**OURS},
    ],
)
def test_every_route_is_behind_it(headers):
    async def main():
        """Each route there is, by its own path: what may not pass never reaches the application."""
        station = Station()
        app = make_app(station, station.files)
        reached: list[str] = []

        async def inner(scope, _receive, _send):
            reached.append(scope["path"])

        paths = [route.path.replace("{key}", "x").replace("{path:path}", "x") for route in app.routes]
        assert len(paths) == len(app.routes) == 4
        assert all(isinstance(route, Route | WebSocketRoute) for route in app.routes), (
            "a route of another kind: look at it"
        )
        gate = Gate(inner, TOKENS, port=lambda: PORT, on_wrong=lambda: None)
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        for path in paths:
            kinds = ("websocket",) if path == "/ws" else ("http", "websocket")
            for kind in kinds:
                sent: list[dict] = []

                async def receive(kind=kind):
                    return {"type": f"{kind}.connect"}

                async def send(message, sent=sent):
                    sent.append(message)

                await gate({"type": kind, "method": "GET", "path": path, "headers": raw}, receive, send)
                passes = judge(kind, "GET", path, raw, port=PORT, tokens=TOKENS).status == 0
                assert (path in reached) is passes
                reached.clear()
                if not passes:
                    assert sent[0]["type"] in {"http.response.start", "websocket.close"}
                    if kind == "http":
                        assert set(HEADERS) <= set(sent[0]["headers"])
                        assert sent[1]["body"] == b""

    asyncio.run(main())


def test_too_many_handshakes_in_a_second_are_refused():
    async def main():
        reached = 0

        async def inner(_scope, _receive, _send):
            nonlocal reached
            reached += 1

        async def receive():
            return {"type": "websocket.connect"}

        async def send(_message):
            pass

        gate = Gate(inner, TOKENS, port=lambda: PORT, on_wrong=lambda: None)
        raw = [(name.encode(), value.encode()) for name, value in {**OURS, **PROTOCOLS}.items()]
        for _ in range(40):
            await gate({"type": "websocket", "path": "/ws", "headers": raw}, receive, send)
        assert reached == 16

    asyncio.run(main())


def test_a_wrong_token_is_counted_and_waits():
    async def main():
        wrong: list[float] = []

        async def inner(_scope, _receive, _send):
            raise AssertionError("it may not pass")

        async def receive():
            return {"type": "websocket.connect"}

        sent: list[dict] = []

        async def send(message):
            sent.append(message)

        gate = Gate(inner, TOKENS, port=lambda: PORT, on_wrong=lambda: wrong.append(asyncio.get_running_loop().time()))
        raw = [(name.encode(), value.encode()) for name, value in OURS.items()]
        raw.append((b"sec-websocket-protocol", b"dcl-station.1, token.guess"))
        await gate({"type": "websocket", "path": "/ws", "headers": raw}, receive, send)
        assert asyncio.get_running_loop().time() - wrong[0] >= 0.5
        assert [message["type"] for message in sent] == ["websocket.close"]

    asyncio.run(main())
