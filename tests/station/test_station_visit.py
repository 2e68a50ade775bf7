"""tail, say and walk in a realm: one in this process, with real sockets."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time

import pytest
from dcl_comms_drivers.wallet import DisposableWallet
from dcl_comms_station.exits import Exit
from dcl_comms_station.forms import dump, plain_event
from dcl_comms_station.lines import line
from dcl_comms_station.loops import LOOPS
from rigs.drivers.logins import login
from rigs.drivers.realm import realm
from rigs.drivers.tokens import make_token

from dcl_comms_core import CloseReason, IslandChanged, PeerId, Retry, Vector3, WorldClosed, parse_connection_string

BOTH_LOOPS = pytest.mark.parametrize("loop", sorted(LOOPS))
WITHOUT_WALLET = (
    "import sys; sys.modules['coincurve'] = None; from dcl_comms_station.entry import main; sys.exit(main())"
)


def read(text):
    return [json.loads(one) for one in text.splitlines()]


def of(events, name, /, **fields):
    return [e for e in events if e["event"] == name and all(e[key] == value for key, value in fields.items())]


class Lines:
    """What a process prints, as it comes."""

    def __init__(self, process):
        self.events = []
        self._stream = process.stdout
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for one in self._stream:
            self.events.append(json.loads(one))

    def until(self, name, /, count=1, timeout=40.0, **fields):
        end = time.monotonic() + timeout
        while len(found := of(list(self.events), name, **fields)) < count:
            assert time.monotonic() < end, (name, self.events)
            time.sleep(0.02)
        return found[count - 1]


# --- the show: two that watch, one that walks from the first to the second


@pytest.mark.dcl_realm(islands="heartbeats")
def test_two_watch_a_walk_where_heartbeats_form_the_islands(dcl_realm, start_process):
    west, east = (
        start_process("tail", dcl_realm.url, "--json", "--at", at, "--loop", loop)
        for at, loop in (("0,0,0", "asyncio"), ("90,0,0", "trio"))
    )
    seen = [Lines(west), Lines(east)]
    first = [one.until("island_changed")["island"] for one in seen]
    assert first[0] != first[1]
    for one in seen:
        one.until("room_opened", room="island")
    walker = Lines(start_process("walk", dcl_realm.url, "-5,0,0", "100,0,0", "--speed", "25", "--stay", "20", "--json"))
    me = walker.until("room_opened")["identity"]
    # The walker's island takes in the one in the east, and then loses the one in the west.  For over two seconds it is
    # near enough to both: it says once a second where it is.
    seen[1].until("peer_moved", sender=me, position=[100.0, 0.0, 0.0])
    seen[0].until("peer_moved", sender=me)
    seen[0].until("peer_left", sender=me)
    assert seen[1].until("island_changed", count=2)["island"] == dcl_realm_island(dcl_realm, me)
    for one, process, number in zip(seen, (west, east), (signal.SIGINT, signal.SIGTERM), strict=True):
        process.send_signal(number)
        assert process.wait(40) == 128 + number
        assert process.stderr.read() == ""
        changes = of(one.events, "island_changed")
        assert [change["previous"] for change in changes] == [None, *(change["island"] for change in changes[:-1])]
        assert {event["room"] for event in of(one.events, "peer_moved")} == {"island"}


def dcl_realm_island(realm, who):
    (island,) = (name for name, members in realm.islands.items() if who.lower() in members)
    return island


def test_a_walk_in_one_room(run_cli, memory_room, companion):
    other = companion(memory_room("other"))
    result = run_cli("walk", memory_room("me"), "0,0,0", "0,0,-2", "--speed", "20", "--stay", "0.2")
    assert (result.exit_code, result.stderr) == (Exit.OK, "")
    assert "joined as other" in result.stdout
    assert [tuple(move.position) for move in other.moves][-1] == (0.0, 0.0, -2.0)


@pytest.mark.parametrize(
    "words",
    [
        ["simulator:x"],
        ["simulator:x", "1,2"],
        ["simulator:x", "1,2,nan"],
        ["1,2,3"],
        ["--x"],
        ["simulator:x", "1,2,3", "--speed", "51"],
    ],
)
def test_a_walk_that_makes_no_sense(run_cli, words):
    result = run_cli("walk", *words)
    assert result.exit_code == Exit.USAGE
    assert len(result.stderr.splitlines()) == 1


def test_two_watch_a_walk_where_pulse_forms_the_islands(dcl_realm, start_process, run_cli):
    """Islands change by walking; movement comes by Pulse, of who is on another island too; words by the rooms."""
    tails = [start_process("tail", dcl_realm.url, "--json", "--at", at) for at in ("8,0,8", "408,0,8")]
    seen = [Lines(tail) for tail in tails]
    first = [one.until("room_opened", room="island")["name"] for one in seen]
    assert first[0] != first[1]
    walker = Lines(start_process("walk", dcl_realm.url, "8,0,8", "400,0,8", "--speed", "40", "--stay", "20", "--json"))
    me = walker.until("room_opened", room="pulse")["identity"]
    seen[1].until("peer_joined", sender=me)
    # To 6 centimetres; the walk ends there.
    end = time.monotonic() + 60
    while not any(event["position"][0] > 399.9 for event in of(list(seen[1].events), "peer_moved", sender=me)):
        assert time.monotonic() < end
        time.sleep(0.02)
    walker.until("room_opened", room="island", name=first[1])
    islands = [event["island"] for event in of(list(walker.events), "island_changed")]
    assert (islands[0], islands[-1]) == tuple(first)
    for one in seen:
        # An island's room may be quicker than Pulse's first word; from then on nothing is told twice.
        rooms = [event["room"] for event in of(list(one.events), "peer_moved", sender=me)]
        assert set(rooms[rooms.index("pulse") :]) == {"pulse"}
        assert rooms.count("island") <= 1
    assert run_cli("say", dcl_realm.url, "over here", "--at", "400,0,8").exit_code == Exit.OK
    assert walker.until("chat_received", text="over here")["room"] == "island"


def test_pulse_is_named_or_left_alone(run_cli, start_process):
    with realm() as place, realm(islands="heartbeats") as plain:
        for pulse, url, there in (
            ("auto", place.url, True),
            ("none", plain.url, False),
            (place.pulse_at, plain.url, True),
        ):
            lines = Lines(start_process("tail", url, "--json", "--pulse", pulse))
            lines.until("room_opened", room="island")
            if there:
                assert lines.until("room_opened", room="pulse")["name"] == place.pulse_at
            else:
                assert not of(list(lines.events), "room_opened", room="pulse")
        result = run_cli("walk", place.url, "8,0,8", "--stay", "0.2")
    assert (result.exit_code, result.stderr) == (Exit.OK, "")
    assert f"pulse   -                 on Pulse at '{place.pulse_at}', we are 0x" in result.stdout
    assert "island  -                 room 'island-C" in result.stdout


@pytest.mark.parametrize("pulse", ["", "here:port", "http://x"])
def test_what_is_no_pulse(run_cli, pulse):
    result = run_cli("tail", "http://127.0.0.1:9", "--pulse", pulse)
    assert (result.exit_code, len(result.stderr.splitlines())) == (Exit.USAGE, 1)


def test_say_counts_those_in_the_room_and_not_those_of_whom_pulse_tells(run_cli, companion):
    with realm() as place:
        wallet = DisposableWallet()
        companion(place.url, wallet=wallet, position=(150.0, 0.0, 8.0))
        # Near enough to be seen, and too far for the same island.
        result = run_cli("say", place.url, "x", "--at", "-20,0,8", "--to", wallet.address, "--wait", "3")
        assert (result.exit_code, result.stdout) == (Exit.NETWORK, "")
        assert "nothing was sent" in result.stderr
        # Whoever is in the room with us is counted, and nobody else.
        near = run_cli("say", place.url, "x", "--at", "150,0,9")
        assert (near.exit_code, near.stderr) == (Exit.OK, f"dcl-comms: sent to 1: {wallet.address.lower()}\n")
        far = run_cli("say", place.url, "x", "--at", "-20,0,8")
        assert (far.exit_code, far.stderr) == (Exit.OK, "dcl-comms: sent, but nobody was there\n")


# --- say and tail


@BOTH_LOOPS
def test_say_reaches_those_on_the_island(run_cli, dcl_realm, companion, loop):
    near = companion(dcl_realm.url, wallet=DisposableWallet(), position=(500.0, 0.0, 0.0))
    result = run_cli("say", dcl_realm.url, "over here", "--at", "500,0,10", "--loop", loop)
    assert (result.exit_code, result.stdout) == (Exit.OK, "")
    assert result.stderr == f"dcl-comms: sent to 1: {near.name}\n"
    near.await_chat("over here")


def test_say_to_one_in_a_ws_room(run_cli, dcl_realm, companion):
    target = f"ws-room:ws{dcl_realm.url.removeprefix('http')}/rooms/r"
    other = companion(target, wallet=DisposableWallet())
    assert run_cli("say", target, "hello").exit_code == Exit.OK
    other.await_chat("hello")


def test_scenes(run_cli, dcl_realm, companion):
    other = companion(dcl_realm.url, lambda room, _who: room.chat("welcome"), wallet=DisposableWallet())
    other.do(lambda room: room.enter_scene("bafkscene", (1, 2)))
    other.await_room("scene")
    scene = ("--at", "900,0,0", "--scene", "bafkscene", "--parcel", "1,2")
    result = run_cli("say", dcl_realm.url, "in the scene", *scene)
    assert (result.exit_code, result.stderr) == (Exit.OK, f"dcl-comms: sent to 1: {other.name}\n")
    assert other.await_chat("in the scene").room == "scene"
    result = run_cli("tail", dcl_realm.url, "--only", "chat_received", "--count", "1", "--seconds", "20", *scene)
    assert result.exit_code == Exit.OK
    assert [text.split()[1] for text in result.stdout.splitlines() if text.endswith("says: welcome")] == ["scene"]


def test_a_scene_that_does_not_let_us_in(run_cli, dcl_realm):
    dcl_realm.throttle(5)
    result = run_cli("say", dcl_realm.url, "x", "--scene", "s", "--parcel", "1,2")
    assert (result.exit_code, len(result.stderr.splitlines())) == (Exit.REFUSED, 1)
    assert "nothing was sent: the scene: too many requests" in result.stderr


# --- who we are


def test_a_key_file(run_cli, dcl_realm, tmp_path):
    wallet, file = DisposableWallet(), tmp_path / "bot.key"
    wallet.save(file)
    result = run_cli("tail", dcl_realm.url, "--json", "--count", "1", "--wallet", str(file))
    assert result.exit_code == Exit.OK
    assert read(result.stdout)[0]["identity"].lower() == wallet.address.lower()
    dcl_realm.ban(wallet.address)
    result = run_cli("tail", dcl_realm.url, "--wallet", str(file))
    assert result.exit_code == Exit.REFUSED
    assert len(result.stderr.splitlines()) == 1
    assert "banned" in result.stderr
    assert wallet.reveal()[2:] not in result.stdout + result.stderr


def test_a_login_that_was_made_elsewhere(run_cli, dcl_realm, tmp_path):
    wallet, file = DisposableWallet(), tmp_path / "login.json"
    secret = login(wallet, file, 3600)
    result = run_cli("tail", dcl_realm.url, "--json", "--count", "1", "--wallet", str(file))
    assert result.exit_code == Exit.OK
    assert read(result.stdout)[0]["identity"].lower() == wallet.address.lower()
    assert secret not in result.stdout + result.stderr
    login(wallet, file, 30)
    result = run_cli("tail", dcl_realm.url, "--wallet", str(file))
    assert (result.exit_code, len(result.stderr.splitlines())) == (Exit.USAGE, 1)
    assert "expire" in result.stderr


def test_files_that_are_no_keys(run_cli, tmp_path):
    wide, empty, page = tmp_path / "wide", tmp_path / "empty", tmp_path / "page"
    DisposableWallet().save(wide)
    wide.chmod(0o644)
    empty.touch(mode=0o600)
    page.touch(mode=0o600)
    page.write_text('{"authChain": []}')
    missing = tmp_path / "missing"
    for file, word in ((wide, "chmod 600"), (empty, "no key"), (page, "neither a key"), (missing, "can't be read")):
        result = run_cli("say", "http://127.0.0.1:9", "x", "--wallet", str(file))
        assert (result.exit_code, len(result.stderr.splitlines())) == (Exit.USAGE, 1)
        assert word in result.stderr


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("simulator:x?identity=me", ["--at", "1,2,3"]),
        ("simulator:x?identity=me", ["--scene", "x", "--parcel", "1,2"]),
        ("simulator:x?identity=me", ["--wallet", "x"]),
        ("ws-room:ws://127.0.0.1:9/rooms/x", ["--at", "1,2,3"]),
        ("ws-room:ws://127.0.0.1:9/rooms/x", ["--scene", "x", "--parcel", "1,2"]),
        ("simulator:x?identity=me", ["--pulse", "127.0.0.1:9"]),
        ("ws-room:ws://127.0.0.1:9/rooms/x", ["--pulse", "none"]),
        ("http://127.0.0.1:9", ["--at", "1,2"]),
        ("http://127.0.0.1:9", ["--at", "1,2,inf"]),
        ("http://127.0.0.1:9", ["--scene", "x", "--parcel", "1,2,3"]),
        ("http://127.0.0.1:9", ["--parcel", "1,2"]),
        ("http://", []),
    ],
)
def test_options_that_are_not_for_this_target(run_cli, target, options):
    result = run_cli("tail", target, *options)
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (Exit.USAGE, "", 1)


def test_without_the_extra_it_says_what_to_install(run_process, dcl_realm):
    command = [sys.executable, "-c", WITHOUT_WALLET]
    for target, code in ((dcl_realm.url, Exit.REFUSED), ("archipelago:ws://127.0.0.1:9/x", Exit.USAGE)):
        result = run_process("tail", target, command=command)
        assert (result.returncode, len(result.stderr.splitlines())) == (code, 1), result.stderr
        assert 'pip install "dcl-comms[wallet]"' in result.stderr


# --- how it ends


def test_a_realm_that_is_not_there(run_cli, dcl_realm):
    dcl_realm.down()
    result = run_cli("tail", dcl_realm.url)
    assert (result.exit_code, len(result.stderr.splitlines())) == (Exit.NETWORK, 1)
    dcl_realm.up()


@BOTH_LOOPS
def test_thrown_out_in_the_middle(start_process, dcl_realm, loop):
    process = start_process("tail", dcl_realm.url, "--json", "--loop", loop)
    lines = Lines(process)
    me = lines.until("room_opened")["identity"]
    dcl_realm.ban(me)
    assert process.wait(40) == Exit.REFUSED
    last = lines.until("world_closed")
    assert (last, last["retry"]) == (lines.events[-1], "never")
    assert len(process.stderr.read().splitlines()) == 1


# --- how it is shown


def test_where_a_line_is_from():
    adapter = parse_connection_string(f"livekit:wss://x.example?access_token={make_token()}&other=secret")
    somebody = PeerId("0x" + "ab" * 20), Vector3(1.0, 2.0, 3.0)
    event = IslandChanged(at=1.0, room="realm", island="I\x1b2", previous="I1", adapter=adapter, peers=(somebody,))
    assert line(event, "12:00:00") == "12:00:00  realm   -                 on island 'I2' of 1, before on 'I1'"
    shown = plain_event(event)
    assert shown["peers"] == [["0x" + "ab" * 20, [1.0, 2.0, 3.0]]]
    assert shown["adapter"] == str(adapter)
    assert "secret" not in dump(shown)
    assert make_token()[:20] not in dump(shown)
    closed = WorldClosed(at=1.0, room="", reason=CloseReason.BANNED, retry=Retry.NEVER, detail="go\x1b away")
    assert line(closed, "t") == "t  -       -                 out of the realm: banned (retry: never): go away"
