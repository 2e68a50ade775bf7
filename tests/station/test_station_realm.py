"""``dcl-comms realm``: what it prints, that it serves, how it ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest
from dcl_comms_station import hosting
from dcl_comms_station.exits import Failed

from dcl_comms_core import parse_about


def url_of(process):
    lines = [process.stdout.readline()]
    assert lines[0].startswith("A realm is at http://127.0.0.1:"), (
        lines,
        process.stderr.read() if not lines[0] else "",
    )
    while "/rooms/NAME" not in lines[-1]:
        lines.append(process.stdout.readline())
    url = lines[0].split("; ")[0].removeprefix("A realm is at ")
    assert f"  dcl-comms tail {url}\n" in lines
    return url, "".join(lines)


def document(url):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("GET", "/about")
    body = connection.getresponse().read()
    connection.close()
    return body


def about(url):
    return parse_about(document(url), url=url)


def children(pid):
    """The whole family of a process, by /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            one = int(stat.parent.name)
            found += [one, *children(one)]
    return found


def lives(pid):
    """Whether it does something: who is nobody's child any more may stay for a while as a name."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_realm_of_ws_rooms_ends_cleanly(start_process, number, code):
    process = start_process("realm", "--ws-room")
    url, first = url_of(process)
    assert "ws-rooms of its own" in first
    assert about(url).choose().to_connection_string() == f"archipelago:ws{url.removeprefix('http')}/archipelago/ws"
    os.kill(process.pid, number)
    assert (process.communicate(timeout=40.0)[1], process.returncode) == ("", code)


@pytest.mark.parametrize(("islands", "there"), [("pulse", True), ("heartbeats", False)])
def test_islands_may_come_from_pulse(start_process, islands, there):
    process = start_process("realm", "--ws-room", "--islands", islands)
    url, printed = url_of(process)
    at = json.loads(document(url))["comms"].get("pulse")
    assert (at is not None) == there
    os.kill(process.pid, signal.SIGTERM)
    assert (process.communicate(timeout=40.0)[1], process.returncode) == ("", 143)
    assert (f"  {at} (UDP, Pulse" in printed) == there


@pytest.mark.usefixtures("rtc")
@pytest.mark.parametrize("options", [(), ("--livekit",), ("--livekit", "--build")])
def test_its_rooms_are_of_a_server_of_ours(start_process, options):
    """Whatever else is there: it starts at once, and has no process of its own."""
    process = start_process("realm", *options)
    _, first = url_of(process)
    assert "LiveKit's, of a server of ours at ws://127.0.0.1:" in first
    assert children(process.pid) == []
    os.kill(process.pid, signal.SIGTERM)
    assert (process.communicate(timeout=40.0)[1], process.returncode) == ("", 143)


def test_a_ws_room_has_no_sound(run_process):
    done = run_process("realm", "--ws-room", "--media")
    assert (done.returncode, "--media or --ws-room" in done.stderr) == (2, True), done.stderr


@pytest.mark.livekit
def test_its_livekit_server_ends_with_it(start_process, livekit_server):
    process = start_process("realm", "--media")
    url, first = url_of(process)
    assert "LiveKit's, of a livekit-server at ws://127.0.0.1:" in first
    about(url)
    family = children(process.pid)
    assert len(family) >= 2
    os.kill(process.pid, signal.SIGTERM)
    assert (process.communicate(timeout=40.0)[1], process.returncode) == ("", 143)
    end = time.monotonic() + 40
    while any(Path(f"/proc/{pid}").exists() for pid in family):
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.livekit
@pytest.mark.parametrize(
    ("whom", "number"),
    [("supervisor", signal.SIGTERM), ("supervisor", signal.SIGKILL), ("livekit-server", signal.SIGKILL)],
)
def test_it_ends_with_its_livekit_server(start_process, livekit_server, whom, number):
    """There is no orphan, and no realm without rooms."""
    process = start_process("realm", "--media")
    url_of(process)
    supervisor, server = children(process.pid)
    os.kill(server if whom == "livekit-server" else supervisor, number)
    stderr = process.communicate(timeout=40.0)[1]
    assert (process.returncode, stderr.count("\n"), "server has ended" in stderr) == (4, 1, True), stderr
    assert not lives(supervisor)
    assert not lives(server)


def test_further_hosts_and_origins_are_let_in(start_process, run_process):
    process = start_process("realm", "--ws-room", "--host", "realm.test", "--origin", "https://mine.example")
    url, _ = url_of(process)
    statuses = []
    for headers in (
        {"Host": "realm.test"},
        {"Origin": "https://mine.example"},
        {"Host": "evil.test"},
        {"Origin": "https://evil.test"},
    ):
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        connection.request("GET", "/about", headers=headers)
        statuses.append(connection.getresponse().status)
        connection.close()
    assert statuses == [200, 200, 403, 403]
    done = run_process("realm", "--ws-room", "--origin", "*")
    assert (done.returncode, "'*' is no origin" in done.stderr) == (2, True), done.stderr


def test_a_port_that_is_taken(run_process):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run_process("realm", "--ws-room", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "can't be had" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("what", "word"), [("server", "needs Go"), ("client", "dcl-comms[livekit]")])
def test_without_a_livekit_server_it_says_so(monkeypatch, capsys, what, word):
    from dcl_comms_drivers.realm.livekit_server import ServerProblem, ServerUnavailable

    def unavailable(**_how):
        raise ServerUnavailable(ServerProblem.NO_GO, "install Go")

    if what == "server":
        monkeypatch.setattr(hosting.LiveKitServer, "start", unavailable)
    else:
        monkeypatch.setattr(hosting, "find_spec", lambda name: None)
    monkeypatch.setattr(hosting, "has_rooms", lambda: False)
    if what == "client":
        assert not hosting.has_real_rooms()
    assert hosting.find_rooms() is None
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) == 1
    assert word in shown
    for wanted in ({"livekit": True}, {"media": True}):
        with pytest.raises(Failed, match=r"Go|livekit"):
            hosting.find_rooms(**wanted)


def test_without_the_extra_it_says_what_to_install(run_cli, monkeypatch):
    import sys

    for name in [name for name in sys.modules if name.startswith("dcl_comms_drivers.realm.") or name == "h11"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "dcl_comms_station.hosting")
    monkeypatch.setitem(sys.modules, "h11", None)
    result = run_cli("realm", "--ws-room")
    assert result.exit_code == 2
    assert "dcl-comms[realm]" in result.stderr
    assert json.dumps(result.stderr).count("\\n") == 1
