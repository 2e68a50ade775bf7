"""The commands in this process, over the memory room."""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from base64 import b64decode

import pytest
from dcl_comms_station.exits import Exit, Interrupted, explain
from dcl_comms_station.lines import reached
from dcl_comms_station.loops import LOOPS, get_loop, run
from dcl_comms_station.rooms import unix_time
from dcl_comms_station.tokens import describe_token, read_token
from rigs.core.canary import assert_no_secret
from rigs.drivers.tokens import make_token

from dcl_comms_core import AnnounceProfileVersion, Chat, Packet, PeerId, encode

CHAT = encode(Packet(chat=Chat(message="hi", timestamp=1.0), protocol_version=100))
BOTH_LOOPS = pytest.mark.parametrize("loop", sorted(LOOPS))


def greet(text):
    def act(room, who):
        room.chat(text)
        room.chat("only you", to=who)

    return act


# --- tail


@BOTH_LOOPS
def test_tail_prints_lines_for_people(run_cli, memory_room, companion, loop):
    companion(memory_room("0x" + "ab" * 20), greet("hello\x1b[2J\u202e"))
    result = run_cli("tail", memory_room("me"), "--count", "4", "--loop", loop)
    lines = result.stdout.splitlines()
    assert result.exit_code == Exit.OK
    assert len(lines) == 4
    assert "is open, we are me" in lines[0]
    assert f"joined as 0x{'ab' * 20}" in lines[1]
    assert "0xabab…abab" in lines[2]
    assert lines[2].endswith("says: hello[2J")
    assert lines[3].endswith("says: only you (private)")
    assert result.stderr == ""


@BOTH_LOOPS
def test_tail_prints_json_lines(run_cli, memory_room, companion, loop):
    companion(memory_room("other"), greet("hello\x1b[2J\u202e"))
    before = time.time()
    result = run_cli("tail", memory_room("me"), "--json", "--count", "4", "--loop", loop)
    stamps = [json.loads(line) for line in result.stdout.splitlines()]
    assert [round(one["time"] - one["at"], 3) for one in stamps] == [round(stamps[0]["time"] - stamps[0]["at"], 3)] * 4
    assert result.exit_code == Exit.OK
    assert result.stdout.isascii()
    assert "\x1b" not in result.stdout
    opened, joined, public, private = map(json.loads, result.stdout.splitlines())
    assert (opened["event"], opened["identity"]) == ("room_opened", "me")
    assert (joined["event"], joined["sender"]) == ("peer_joined", "other")
    assert (public["event"], public["text"], public["private"]) == ("chat_received", "hello\x1b[2J\u202e", False)
    assert (private["text"], private["private"], private["sender"]) == ("only you", True, "other")
    assert before - 1 <= private["time"] <= time.time() + 1


def test_an_event_s_time_is_its_own_and_not_that_of_the_printing(monkeypatch):
    """What waits in a queue for three seconds happened three seconds ago."""

    class Room:
        class driver:
            class host:
                now = staticmethod(lambda: 660.0)

    monkeypatch.setattr(time, "time", lambda: 1_800_000_003.0)
    assert unix_time(Room, 657.0) == 1_800_000_000.0
    assert unix_time(Room, 659.5) == 1_800_000_002.5


@BOTH_LOOPS
def test_a_server_that_says_nothing_is_told_of(run_cli, loop):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        result = run_cli("tail", f"http://127.0.0.1:{port}", "--timeout", "8", "--loop", loop)
    first, *_, last = result.stderr.splitlines()
    assert re.fullmatch(rf"dcl-comms: \d+ s, still waiting for an answer of 127\.0\.0\.1:{port} to GET /about", first)
    assert last.startswith("dcl-comms: error: ")
    assert (result.exit_code, result.stdout) == (Exit.NETWORK, "")


def test_tail_of_raw_packets(run_cli, memory_room, companion):
    announce = Packet(profile_version=AnnounceProfileVersion(profile_version=7), protocol_version=100)
    companion(memory_room("other"), lambda room, who: room.send_nowait(announce))
    result = run_cli("tail", memory_room("me"), "--json", "--packets", "--count", "3")
    packet = json.loads(result.stdout.splitlines()[-1])
    assert packet["event"] == "packet_received"
    assert packet["packet"] == {
        "kind": "profile_version", "protocol_version": 100, "size": packet["packet"]["size"], "fields": {"profile_version": 7},
    }  # fmt: skip
    assert b64decode(packet["data"]) == encode(announce)


@BOTH_LOOPS
def test_tail_ends_when_its_time_is_over(run_cli, memory_room, loop):
    began = time.monotonic()
    result = run_cli("tail", memory_room("me"), "--seconds", "0.3", "--loop", loop)
    assert result.exit_code == Exit.OK
    assert time.monotonic() - began >= 0.3
    assert len(result.stdout.splitlines()) == 1


def test_tail_says_why_a_room_ended(run_cli, memory_room, companion):
    rivals = []
    companion(memory_room("other"), lambda room, who: rivals or rivals.append(companion(memory_room("me"))))
    result = run_cli("tail", memory_room("me"))
    assert result.exit_code == Exit.REFUSED
    assert "room closed: the same identity joined again elsewhere" in result.stdout
    assert result.stderr.splitlines() == [
        "dcl-comms: error: connection lost: the same identity joined again elsewhere (retry: never)"
    ]


# --- say


@BOTH_LOOPS
def test_say_to_everybody(run_cli, memory_room, companion, loop):
    other = companion(memory_room("other"))
    result = run_cli("say", memory_room("me"), "good morning", "--loop", loop)
    assert (result.exit_code, result.stdout, result.stderr) == (Exit.OK, "", "dcl-comms: sent to 1: other\n")
    event = other.await_chat("good morning")
    assert event.sender == PeerId("me")
    assert not event.private


@BOTH_LOOPS
def test_say_in_private(run_cli, memory_room, companion, loop):
    friend, third = companion(memory_room("Friend")), companion(memory_room("third"))
    # In any case of letters: the packet is addressed by the identity as the room has it.
    result = run_cli("say", memory_room("me"), "secret", "--to", "fRIEND", "--loop", loop)
    assert (result.exit_code, result.stderr) == (Exit.OK, "dcl-comms: sent to 1: Friend\n")
    assert friend.await_chat("secret").private
    run_cli("say", memory_room("me"), "public")
    third.await_chat("public")
    assert [event.text for event in third.chats] == ["public"]


@BOTH_LOOPS
def test_say_sends_nothing_when_somebody_is_missing(run_cli, memory_room, companion, loop):
    friend = companion(memory_room("friend"))
    result = run_cli(
        "say", memory_room("me"), "secret", "--to", "friend", "--to", "no\x1bbody", "--wait", "0.2", "--loop", loop
    )
    assert result.exit_code == Exit.NETWORK
    assert result.stderr == "dcl-comms: error: nothing was sent: not in the room within 0.2 s: nobody\n"
    run_cli("say", memory_room("me"), "public")
    friend.await_chat("public")
    assert [event.text for event in friend.chats] == ["public"]


def test_say_waits_for_somebody_who_comes_later(run_cli, memory_room, companion):
    import threading

    late = []
    timer = threading.Timer(0.4, lambda: late.append(companion(memory_room("late"))))
    timer.start()
    result = run_cli("say", memory_room("me"), "welcome", "--to", "late")
    timer.join()
    assert result.exit_code == Exit.OK
    assert late[0].await_chat("welcome").private


def test_say_too_much_is_the_callers_mistake(run_cli, memory_room):
    result = run_cli("say", memory_room("me"), "x" * 70_000)
    assert result.exit_code == Exit.USAGE
    assert "beyond 8192 (Limits.chat_chars)" in result.stderr


def test_say_says_that_nobody_was_there(run_cli, memory_room):
    result = run_cli("say", memory_room("me"), "hello?")
    assert (result.exit_code, result.stderr) == (Exit.OK, "dcl-comms: sent, but nobody was there\n")


def test_say_names_some_of_many():
    names = [f"peer-{number}" for number in range(12)]
    assert reached(names) == f"sent to 12: {', '.join(names[:10])} and 2 more"
    assert reached(["a\x1b[2J"]) == "sent to 1: a[2J"


SECRET_TARGET = f"livekit:wss://x?access_token={make_token()}"


@pytest.mark.parametrize(
    "text",
    [
        "livekit:wss://x?access_token=SECRET",
        SECRET_TARGET,
        "https://realm-provider.decentraland.org/main",
        "http://127.0.0.1:8000",
        "127.0.0.1:8000",
        "[::1]:8000/main",
        "localhost:8000",
        "simulator:room?identity=me",
        "ws-room:wss://realm.example/rooms/plaza",
        "fixed-adapter:signed-login:https://world.example/get",
        "decentraland://realm=x",
        "offline:offline",
        "name.dcl.eth",
        "decentraland.org/play/?position=0%2C0",
        " HTTPS://REALM.example ",
        "-",
    ],
)
@pytest.mark.parametrize("environment", [True, False])
def test_a_target_is_no_text(run_cli, memory_room, companion, text, environment):
    """Whoever forgets TEXT must not tell everybody a token."""
    other = companion(memory_room("other"))
    env = {"DCL_COMMS_TARGET": memory_room("me")} if environment else {}
    result = run_cli("say", text, env=env)
    assert result.exit_code == Exit.USAGE
    assert "TEXT" in result.stderr
    assert "SECRET" not in result.stderr
    assert "no target" not in result.stderr
    assert len(result.stderr.splitlines()) == 1
    run_cli("say", memory_room("me"), "last")
    other.await_chat("last")
    assert [event.text for event in other.chats] == ["last"]


def test_a_token_is_no_text_wherever_it_stands(run_cli, memory_room, companion):
    other = companion(memory_room("other"))
    secret = make_token()
    for text in (SECRET_TARGET, secret, f"look: {secret}", "?access_token=SECRET"):
        result = run_cli("say", memory_room("me"), text)
        assert result.exit_code == Exit.USAGE
        assert "access token in TEXT" in result.stderr
        assert_no_secret(secret, result.stdout, result.stderr)
    run_cli("say", memory_room("me"), "last")
    other.await_chat("last")
    assert [event.text for event in other.chats] == ["last"]


@pytest.mark.parametrize("text", ["see https://decentraland.org", "well: I see", "10:30 then", "note:", "a.b", "--"])
def test_what_only_looks_a_little_like_a_target_is_said(run_cli, memory_room, companion, text):
    other = companion(memory_room("other"))
    result = run_cli("say", "--", text, env={"DCL_COMMS_TARGET": memory_room("me")})
    assert result.exit_code == Exit.OK, result.stderr
    other.await_chat(text)


def test_a_url_is_said_where_the_target_is_given_too(run_cli, memory_room, companion):
    other = companion(memory_room("other"))
    assert run_cli("say", memory_room("me"), "https://decentraland.org").exit_code == Exit.OK
    other.await_chat("https://decentraland.org")


# --- targets


def test_target_from_the_environment(run_cli, memory_room):
    result = run_cli("tail", "--count", "1", env={"DCL_COMMS_TARGET": memory_room("env")})
    assert "we are env" in result.stdout
    assert run_cli("say", "text", env={"DCL_COMMS_TARGET": memory_room("env")}).exit_code == Exit.OK


def test_target_from_the_first_line_of_standard_input(run_cli, memory_room):
    result = run_cli("tail", "-", "--count", "1", stdin=f"  {memory_room('in')} \nmore\n")
    assert "we are in" in result.stdout


def test_a_token_in_the_arguments_is_warned_about_once(run_cli):
    secret = make_token(ttl=-100)
    target = f"livekit:ws://127.0.0.1:1?access_token={secret}"
    result = run_cli("tail", target)
    assert result.stderr.count("warning: a token in the arguments") == 1
    assert_no_secret(secret, result.stdout, result.stderr)
    assert "warning" not in run_cli("tail", env={"DCL_COMMS_TARGET": target}).stderr
    assert "warning" not in run_cli("tail", "-", stdin=target).stderr
    assert "warning" in run_cli("token", secret).stderr


@pytest.mark.parametrize(
    ("args", "stdin"),
    [
        (["tail"], None),
        (["tail", "-"], "\n"),
        (["say", "only a text"], None),
        (["say"], None),
        (["say", "simulator:x", "two", "texts"], None),
        (["tail", "simulator:x", "--count", "0"], None),
        (["tail", "simulator:x", "--seconds", "-1"], None),
        (["tail", "simulator:x", "--loop", "twisted"], None),
        (["tail", "simulator:x?loss=maybe"], None),
        (["tail", "offline:offline"], None),
        (["tail", "nonsense"], None),
        (["decode"], None),
        (["decode", "xyz"], None),
        (["token", "abc"], None),
        (["token", "offline:offline"], None),
        (["nothing"], None),
        (["--nothing"], None),
    ],
)
def test_usage_errors_are_one_line_and_2(run_cli, args, stdin):
    result = run_cli(*args, stdin=stdin)
    assert result.exit_code == Exit.USAGE
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("dcl-comms: error: ")


def test_help_and_version(run_cli):
    assert run_cli("-h").stdout.startswith("Usage: dcl-comms")
    assert run_cli("--version").stdout.startswith("dcl-comms ")
    bare = run_cli()
    assert bare.exit_code == Exit.USAGE
    assert "Usage: dcl-comms" in bare.stderr


def test_a_usage_error_says_where_to_read_on(run_cli):
    assert run_cli("tial").stderr == (
        "dcl-comms: error: no such command: 'tial'; did you mean tail?; try: dcl-comms --help\n"
    )
    assert run_cli("xyzzy").stderr == "dcl-comms: error: no such command: 'xyzzy'; try: dcl-comms --help\n"
    assert run_cli("tail", "--cuont", "1").stderr.endswith("; try: dcl-comms tail --help\n")
    assert "--count" in run_cli("tail", "--cuont", "1").stderr
    assert run_cli("say").stderr.endswith("; try: dcl-comms say --help\n")


# --- decode


def test_decode(run_cli):
    result = run_cli("decode", CHAT.hex())
    assert result.exit_code == Exit.OK
    assert json.loads(result.stdout)["fields"] == {"message": "hi", "timestamp": 1.0}


def test_decode_says_where_it_stopped(run_cli):
    result = run_cli("decode", CHAT.hex()[:-2])
    assert result.exit_code == Exit.PROTOCOL
    assert result.stdout == ""
    assert "at byte" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_decode_lines_of_standard_input(run_cli):
    result = run_cli("decode", "-", stdin=f"{CHAT.hex()}\n58\n{CHAT.hex()}\n")
    assert result.exit_code == Exit.PROTOCOL
    assert [json.loads(text)["kind"] for text in result.stdout.splitlines()] == ["chat", "chat"]
    assert result.stderr.startswith("dcl-comms: line 2: ")


# --- token


def signature_pieces(token):
    _, payload, signature = token.split(".")
    return [part[at : at + 12] for part in (payload, signature) for at in range(len(part) - 11)]


@pytest.mark.parametrize("wrap", ["{}", "livekit:wss://example.com?access_token={}"])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_token_shows_claims_and_never_the_token(run_cli, wrap, form):
    secret = make_token(
        identity="0xAbC",
        room="plaza",
        ttl=250.0,
        claims={"name": "Al\x1bice", "metadata": '{"x": 1}', "extra": [1, None]},
    )
    result = run_cli("token", *form, env={"DCL_COMMS_TARGET": wrap.format(secret)})
    assert result.exit_code == Exit.OK
    assert not any(piece in result.stdout + result.stderr for piece in signature_pieces(secret))
    assert "plaza" in result.stdout
    if form:
        shown = json.loads(result.stdout)
        assert shown["identity"] == "0xAbC"
        assert shown["claims"]["extra"] == [1, None]
        assert 240.0 < shown["expires_in"] <= 250.0
        assert shown["refused_because"] is None
    else:
        assert "UTC (in 4 min" in result.stdout
        assert "usable now  yes" in result.stdout
        assert "Alice" in result.stdout
        assert "\x1b" not in result.stdout


def test_token_from_standard_input(run_cli):
    assert "plaza" in run_cli("token", "-", stdin=make_token(room="plaza") + "\n").stdout


@pytest.mark.parametrize(
    ("claims", "word"),
    [({"ttl": -3725.0}, "expired"), ({"claims": {"nbf": 4e9}}, "not valid"), ({"room_join": None}, "roomJoin"),
     ({"can_publish_data": False}, "canPublishData")],
)  # fmt: skip
def test_token_that_would_be_refused(run_cli, claims, word):
    result = run_cli("token", "-", stdin=make_token(**claims))
    assert result.exit_code == Exit.OK
    assert word in result.stdout.splitlines()[-1]
    assert run_cli("token", "-", "--check", stdin=make_token(**claims)).exit_code == Exit.REFUSED
    assert run_cli("token", "-", "--check", stdin=make_token()).exit_code == Exit.OK


def test_how_long_ago_a_token_expired():
    token = read_token(make_token(ttl=10.0, now=1_000_000.0))
    shown = dict(text.split(maxsplit=1) for text in describe_token(token, 1_003_735.0))
    assert shown["expires"] == "1970-01-12 13:46:50 UTC (1 h 2 min ago)"
    assert "1 s ago" in dict(text.split(maxsplit=1) for text in describe_token(token, 1_000_011.0))["expires"]


def test_a_token_without_times_or_anything():
    token = read_token(make_token(claims={"exp": None, "nbf": None, "iss": None, "sub": None}, canPublishSources=None))
    shown = "\n".join(describe_token(token, 0.0))
    assert "expires     never said" in shown
    assert "identity    (none)" in shown


def test_a_token_beyond_the_calendar():
    token = read_token(make_token(claims={"exp": 2**52}))
    assert any("unix second 4503599627370496" in text for text in describe_token(token, 0.0))


# --- loops and exits


@BOTH_LOOPS
def test_ctrl_c_inside_of_a_command(loop):
    import signal

    left = []

    async def main(on):
        try:
            signal.raise_signal(signal.SIGINT)
            await on.sleep(10)
        finally:
            left.append(True)

    with pytest.raises(Interrupted) as caught:
        run(get_loop(loop), main)
    assert caught.value.exit_code == Exit.INTERRUPTED
    assert left == [True]


@BOTH_LOOPS
def test_a_limit_lets_the_errors_of_others_through(loop):
    async def main(on):
        async with on.limit(5.0):
            raise TimeoutError("somebody else's")

    with pytest.raises(TimeoutError, match="somebody else's"):
        run(get_loop(loop), main)


def test_a_missing_library_is_named(monkeypatch, run_cli, memory_room):
    monkeypatch.setitem(sys.modules, "trio", None)
    result = run_cli("tail", memory_room("me"), "--loop", "trio")
    assert result.exit_code == Exit.USAGE
    assert result.stderr == 'dcl-comms: error: trio is not installed: pip install "dcl-comms[trio]"\n'


def test_a_bug_of_ours_is_not_explained_away():
    assert explain(RuntimeError("bug")) is None
    assert explain(ModuleNotFoundError("x", name="somebody_elses")) is None


def test_tail_prints_and_counts_what_is_asked_for(run_cli, memory_room, companion):
    companion(memory_room("alice"), greet("hello"))
    options = ("--json", "--only", "chat_received", "--filter", "text:only & !me & !near:8", "--count", "1")
    result = run_cli("tail", memory_room("me"), *options)
    assert result.exit_code == Exit.OK
    (shown,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert (shown["event"], shown["text"]) == ("chat_received", "only you")


def test_tail_says_where_a_filter_is_wrong(run_cli, memory_room):
    result = run_cli("tail", memory_room("me"), "--filter", "text:a & size>x")
    assert result.exit_code == 2
    assert "column 10: > compares with a number" in result.stderr
    result = run_cli("tail", memory_room("me"), "--only", "chats")
    assert result.exit_code == 2
