"""Nothing that comes from outside can steer the terminal of whoever runs a command, whichever it is."""

from __future__ import annotations

import ast
import base64
import json
import unicodedata
from pathlib import Path
from urllib.parse import quote

import dcl_comms_station
import pytest
from dcl_comms_drivers.extras import ExtraMissing
from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable
from dcl_comms_drivers.realm.livekit_binary import ServerProblem, ServerUnavailable
from dcl_comms_station.cli import cli
from dcl_comms_station.exits import AddresseeMissing, Exit, Failed
from dcl_comms_station.terminal import complain, put
from rigs.drivers.serving import serving
from rigs.drivers.tokens import make_token

from dcl_comms_core import Journal, Packet, PlayerEmote, RoomSession, SimulatorAdapter, encode

EVIL = "\x1b]52;c;cHduZWQ=\x07\x1b[2J\u202e\u200b\x9b31mforged\nidentical: 9 steps\r\u2028"
"""The clipboard, the screen, the direction, a colour by one character, and lines that look like ours."""
STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def steering(text):
    return [char for char in text.replace("\n", "") if unicodedata.category(char) in STEERING]


def journal(tmp_path, change):
    """A journal of which somebody changed the second line."""
    recorded = Journal()
    recorded.record(RoomSession, SimulatorAdapter("x")).open(now=1.0)
    head, step = recorded.text().splitlines()
    document = json.loads(step)
    change(document)
    path = tmp_path / "journal"
    path.write_text(f"{head}\n{json.dumps(document)}\n")
    return str(path)


def token():
    """Claims that are hostile wherever they are text."""
    claims = {"sub": EVIL, "name": EVIL, "iss": EVIL, "metadata": EVIL, "attributes": {EVIL: EVIL}, "exp": 1}
    claims["video"] = {"room": EVIL, "roomJoin": True, "canPublishSources": [EVIL], EVIL: EVIL}
    head, _, signature = make_token().split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


def answer(status, document):
    body = json.dumps(document)
    return f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"


COMMS = {"healthy": True, "protocol": "v3", "adapter": "offline:offline"}
ABOUT = {"healthy": True, "comms": COMMS, "configurations": {"realmName": EVIL}}
ANSWERS = {
    "named": answer("200 OK", ABOUT),
    "refused": answer("403 Forbidden", {"error": EVIL, "message": EVIL}),
    "adapter": answer("200 OK", {**ABOUT, "comms": {**COMMS, "adapter": EVIL}}),
    "protocol": answer("200 OK", {**ABOUT, "comms": {**COMMS, "protocol": EVIL}}),
    "text": f"HTTP/1.1 500 {quote('x')}\r\nContent-Length: {len(EVIL.encode())}\r\nConnection: close\r\n\r\n{EVIL}",
}


def no_recording(at):
    path = at / f"{EVIL.replace('/', '')}.mcap"
    path.write_text(EVIL)
    return str(path)


RUNS = {
    "replay": [
        lambda at: ["replay", journal(at, lambda step: step.update({EVIL: 1}))],
        lambda at: ["replay", journal(at, lambda step: step["named"].update({EVIL: 1}))],
        lambda at: ["replay", journal(at, lambda step: step.update({"call": EVIL}))],
        lambda at: ["replay", journal(at, lambda step: step.update({"commands": [{"$": EVIL, EVIL: EVIL}]}))],
        lambda at: ["replay", str(at / EVIL)],
    ],
    "token": [
        lambda _: ["token", token()],
        lambda _: ["token", token(), "--json"],
        lambda _: ["token", f"livekit:wss://x.example?access_token={token()}"],
        lambda _: ["token", EVIL],
    ],
    "decode": [lambda _: ["decode", EVIL], lambda _: ["decode", "0a0100" + "5a03" + b"\x1b[m".hex()]],
    "record": [
        lambda at: ["record", EVIL, str(at / "x.mcap")],
        lambda at: ["record", "simulator:x", str(at / "nowhere" / EVIL)],
    ],
    "recover": [lambda at: ["recover", str(at / EVIL)], lambda at: ["recover", no_recording(at)]],
    "export": [lambda at: ["export", str(at / EVIL)], lambda at: ["export", no_recording(at)]],
    "tail": [
        lambda at: ["tail", no_recording(at)],
        lambda _: ["tail", EVIL],
        lambda _: ["tail", f"https://{EVIL}"],
        lambda _: ["tail", "simulator:x", EVIL],
    ],
    "chat": [lambda _: ["chat", EVIL], lambda _: ["chat", "simulator:x", EVIL], lambda _: ["chat", f"ws://{EVIL}"]],
    "say": [
        lambda _: ["say", EVIL, EVIL],
        lambda _: ["say", "simulator:nobody", "x", "--to", EVIL, "--wait", "0.01"],
        lambda _: ["say", "simulator:x", "x", f"--{EVIL}"],
    ],
    "emote": [
        lambda _: ["emote", EVIL, EVIL],
        lambda _: ["emote", "simulator:x", EVIL],
        lambda _: ["emote", "--list", f"--{EVIL}"],
    ],
    "react": [lambda _: ["react", EVIL, "1"], lambda _: ["react", "simulator:x", EVIL]],
    "peers": [lambda _: ["peers", EVIL], lambda _: ["peers", "simulator:x", "--seconds", EVIL]],
    "stats": [lambda _: ["stats", EVIL], lambda _: ["stats", "simulator:x", "--seconds", EVIL]],
    "station": [lambda _: ["station", EVIL], lambda at: ["station", "--recordings", str(at / EVIL)]],
    "profile": [lambda _: ["profile", EVIL], lambda _: ["profile", "0x" + "aa" * 20, EVIL]],
    "wallet": [
        lambda at: ["wallet", "show", str(at / EVIL)],
        lambda at: ["wallet", "new", str(at / "nowhere" / EVIL)],
        lambda _: ["wallet", EVIL],
    ],
    "walk": [lambda _: ["walk", EVIL, "0,0,0"], lambda _: ["walk", "simulator:x", f"{EVIL},"]],
    "doctor": [
        lambda _: ["doctor", EVIL],
        lambda _: ["doctor", f"livekit:ws://127.0.0.1:9?access_token={token()}"],
        lambda _: ["doctor", f"ws-room:ws://127.0.0.1:9/{EVIL}"],
    ],
    "realm": [
        lambda _: ["realm", "--port", EVIL],
        lambda _: ["realm", "--media"],
        lambda _: ["realm", "--bots", EVIL],
    ],
    "demo": [lambda _: ["demo", "--memory", "--seconds", EVIL], lambda _: ["demo", EVIL]],
}
"""What is hostile in each command's arguments, files and environment."""


def test_every_command_is_tried():
    assert RUNS.keys() == cli.commands.keys()


@pytest.mark.parametrize(
    ("command", "number"), [(command, number) for command, runs in RUNS.items() for number in range(len(runs))]
)
def test_no_output_of_a_command_steers(command, number, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("LIVEKIT_SERVER", str(tmp_path / "\x1b[2J\u202e"))
    try:
        args = RUNS[command][number](tmp_path)
        code = cli.run(args)
    finally:
        out, err = capsys.readouterr()
    assert code != 0 or command in {"token", "decode"}
    assert out + err
    assert steering(out) == []
    assert steering(err) == []
    # No line that looks like one of ours, either.
    assert "identical: 9 steps" not in (out + err).splitlines()


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize(
    "args", [("doctor",), ("tail",), ("say", "hello"), ("walk", "0,0,0")], ids=lambda args: args[0]
)
def test_what_a_realm_answers_steers_nobody(args, kind, capsys):
    command, *words = args
    seconds = ["--seconds", "0.2"] if command == "tail" else ["--stay", "0.1"] if command == "walk" else []
    with serving(ANSWERS[kind].encode()) as (port, _):
        cli.run([command, f"http://127.0.0.1:{port}", *words, *seconds, "--timeout", "2"])
    out, err = capsys.readouterr()
    assert out + err or (command == "say" and kind == "named")
    assert steering(out) == steering(err) == []
    assert "identical: 9 steps" not in (out + err).splitlines()


def test_what_a_peer_says_steers_nobody(memory_room, run_cli, companion):
    companion(
        memory_room("evil"),
        lambda room, _: room.chat(EVIL),
        # What an emote may not be called is refused to who calls it so; a program of another make sends it all the same.
        lambda room, _: room.send_bytes(encode(Packet(player_emote=PlayerEmote(incremental_id=1, urn=EVIL)))),
        lambda room, _: room.scene_message(EVIL, EVIL.encode()),
        lambda room, _: room.send_bytes(b"\x00" + EVIL.encode(), topic=EVIL),
    )
    for more in (), ("--json",), ("--packets",):
        result = run_cli("tail", memory_room("victim"), "--count", "6", "--seconds", "10", *more)
        assert result.exit_code == 0
        assert "forged" in result.stdout
        assert steering(result.stdout) == steering(result.stderr) == []
        assert "identical: 9 steps" not in result.stdout.splitlines()


def test_there_is_one_mouth():
    mouths = set()
    for path in Path(dcl_comms_station.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            function = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if function.split(".")[-1] in {"print", "echo", "secho"} or function.startswith(
                ("sys.stdout.write", "sys.stderr.write")
            ):
                mouths.add(path.name)
    # What entry says is a text of its own, for when click is not there.
    assert mouths == {"terminal.py", "entry.py"}


def test_the_mouth_itself(capsys):
    put("one", EVIL)
    complain(EVIL)
    out, err = capsys.readouterr()
    assert steering(out + err) == []
    assert (out.count("\n"), err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    "error",
    [
        Failed(Exit.USAGE, EVIL),
        AddresseeMissing([EVIL], 1.0),
        EngineUnavailable(EngineProblem.STOPPED, EVIL),
        ServerUnavailable(ServerProblem.REFUSED, EVIL),
        ExtraMissing(EVIL, EVIL),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_an_interpreter_would_print_of_an_error(error):
    assert str(error).isprintable()
