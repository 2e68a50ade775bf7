"""The bots of examples/bots: on the virtual clock, and one after the other in an embedded realm."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import signal
import socket
import subprocess
import sys
from array import array
from math import sin, tau
from pathlib import Path

import pytest
from dcl_comms_drivers.asyncio import connect
from dcl_comms_drivers.realm.embedded import realm_in_thread
from dcl_comms_drivers.testing import run_bot
from dcl_comms_drivers.wallet import DisposableWallet
from websockets.asyncio.client import connect as dial

from dcl_comms_core import ChatReceived, PeerMoved, Sound
from dcl_comms_core.testing.script import Join, Leave, Move, Raw, Say

BOTS = Path(__file__).parents[3] / "examples" / "bots"
BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", BOTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@BACKENDS
def test_the_greeter_greets_the_new_ones_and_rolls(backend):
    script = [
        Join(0.0, "alice"),
        Join(20.0, "bob"),
        Say(25.0, "alice", "!roll 2d6"),
        Say(25.5, "alice", "!roll 2d6"),
        Say(28.0, "bob", "!roll 2d0"),
        Say(30.0, "bob", "!help"),
    ]
    texts = [text for _, text in run_bot(load("greeter").bot, script=script, backend=backend).chats]
    assert texts[0].startswith("welcome, ")
    assert sum(text.startswith("welcome, bob") for text in texts) == 1
    rolled, slow, wrong, told = texts[-4:]
    assert "alice rolled [" in rolled
    assert slow == "not so fast"
    assert wrong.startswith("dice: '2d0' is no Dice")
    assert "!roll <dice>" in told


@BACKENDS
def test_the_guide_comes_waves_and_goes_home(backend):
    script = [
        Join(0.0, "alice"),
        Say(4.0, "alice", "come here"),
        Move(6.0, "alice", (20.0, 0.0, 14.0)),
        Say(7.0, "alice", "Come here"),
        Say(20.0, "alice", "go home"),
        Say(20.5, "alice", "stop"),
        Leave(30.0, "alice"),
    ]
    transcript = run_bot(load("guide").bot, script=script, backend=backend)
    assert [text for _, text in transcript.chats] == ["I can't see you", "here I am"]
    seen = [event.position for event in transcript.heard["alice"] if isinstance(event, PeerMoved)]
    assert min(abs((place.x - 20.0) ** 2 + (place.z - 14.0) ** 2 - 4.0) for place in seen) < 0.2
    assert 8.1 < seen[-1].x < 20.0


def test_the_moderator_warns_ignores_and_writes_down():
    module = load("moderator")
    script = [
        Join(0.0, "good"),
        Join(0.0, "bad"),
        Say(5.0, "good", "hello all"),
        Say(6.0, "bad", "BUY MY THINGS NOW PLEASE"),
        Say(7.0, "bad", "free airdrop here"),
        Say(8.0, "bad", "scam"),
        Say(70.0, "bad", "I am back"),
        Raw(72.0, "bad", b"\xff\xff\xff"),
    ]
    transcript = run_bot(module.bot, script=script, seconds=100.0)
    assert [text for _, text in transcript.chats_to("bad")] == [
        "please: shouting",
        "you are ignored for a minute",
        "please: garbage",
    ]
    assert transcript.chats_to("good") == []
    rows = module.bot.state.log.execute("select who, why, said from log").fetchall()
    assert rows == [
        ("good", "", "hello all"),
        ("bad", "shouting", "BUY MY THINGS NOW PLEASE"),
        ("bad", "banned word", "free airdrop here"),
        ("bad", "", "I am back"),
        ("bad", "garbage", ""),
    ]


def started(name, *args, cwd=None):
    command = [sys.executable, "-W", "ignore", str(BOTS / f"{name}.py"), *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd)


def ended(process, code):
    process.send_signal(signal.SIGTERM)
    text, _ = process.communicate(timeout=40)
    assert process.returncode == code, text
    return text


async def met(room):
    """Somebody else who is in our room."""
    async for _ in room:
        for peer in room.peers.values():
            if "island" in peer.rooms:
                return peer.id
    return None


async def ask(realm, said, answer):
    """Be in the realm, and say it until it is answered."""
    async with asyncio.timeout(50), connect(realm.url, wallet=DisposableWallet(), position=(10.0, 0.0, 8.0)) as room:
        who = await met(room)
        room.move((12.0, 0.0, 8.0))
        while True:
            room.chat(said)
            try:
                await room.wait_for(ChatReceived, lambda event: answer in event.text, sender=who, timeout=5.0)
            except TimeoutError:
                continue
            return


@pytest.mark.parametrize(
    ("name", "said", "answer"),
    [("greeter", "!roll 1d1", "rolled [1] = 1"), ("guide", "come here", "I am"), ("moderator", "a scam", "ignored")],
)
def test_a_bot_as_a_program_in_a_realm(name, said, answer, tmp_path):
    with realm_in_thread(livekit=False) as realm:
        process = started(name, realm.url, *([tmp_path / "mod.sqlite"] if name == "moderator" else []))
        try:
            asyncio.run(ask(realm, said, answer))
        finally:
            ended(process, 128 + signal.SIGTERM)


def test_the_bridge_in_a_realm(unused_port):
    async def talk(realm):
        async with asyncio.timeout(50), connect(realm.url, wallet=DisposableWallet()) as room:
            await met(room)
            async with dial(f"ws://127.0.0.1:{unused_port}") as socket:
                await socket.send(json.dumps({"say": "from afar"}))
                assert (await room.wait_for(ChatReceived)).text == "from afar"
                for order, problem in (
                    ({"say": 5}, "text"),
                    ({"say": "x", "to": "0xabc"}, "nobody"),
                    ("no json", "value"),
                ):
                    await socket.send(json.dumps(order) if isinstance(order, dict) else order)
                    while "error" not in (told := json.loads(await socket.recv())):
                        pass
                    assert problem in told["error"]
                room.chat("hello out there")
                while (told := json.loads(await socket.recv())).get("text") != "hello out there":
                    pass
                assert told["sender"] == room.identity.text

    with realm_in_thread(livekit=False) as realm:
        process = started("bridge", realm.url, unused_port)
        try:
            asyncio.run(talk(realm))
        finally:
            ended(process, 128 + signal.SIGTERM)


def test_the_monitor_in_a_realm(tmp_path):
    async def walk(realm, process):
        async with connect(realm.url, wallet=DisposableWallet()) as room:
            number = 0
            while process.poll() is None:
                number += 1
                room.move((8.0 + number % 8, 0.0, 8.0))
                await asyncio.sleep(0.1)

    with realm_in_thread(livekit=False) as realm:
        process = started("monitor", realm.url, tmp_path / "moves.csv", 8)
        asyncio.run(walk(realm, process))
        text, _ = process.communicate(timeout=20)
    assert process.returncode == 0, text
    rows = (tmp_path / "moves.csv").read_text().splitlines()
    assert len(rows) > 3
    assert "@" in text


@pytest.fixture
def unused_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.livekit
def test_the_parrot_says_again_what_was_said(livekit_server, tmp_path):
    phrase = array("h", (int(9000 * sin(tau * 440 * n / 48_000)) for n in range(24_000))).tobytes()

    async def talk(realm):
        async with asyncio.timeout(80), connect(realm.url, wallet=DisposableWallet()) as room:
            who = await met(room)
            async with room.publish_audio() as microphone, room.utterances(who) as heard:
                saying = asyncio.create_task(say(microphone))
                _, sound = await anext(heard)
                saying.cancel()
                assert 0.3 < sound.seconds < 1.5

    async def say(microphone):
        while True:
            await microphone.play(Sound(phrase + bytes(3 * 96_000)))

    with realm_in_thread(livekit=livekit_server) as realm:
        process = started("parrot", realm.url, cwd=tmp_path)
        try:
            asyncio.run(talk(realm))
        finally:
            text = ended(process, 128 + signal.SIGTERM)
    assert " said 0." in text
    assert Sound.of_wav((tmp_path / "parrot.wav").read_bytes()).level > 0.05
