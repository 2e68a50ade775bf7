"""Programs of the pages that need no server, on a virtual clock or on none."""

from __future__ import annotations

import asyncio
import json
import re
import select
import socket
import subprocess
import sys
import threading
import time
from math import inf

from dcl_comms_drivers.testing import Ending, run_bot
from dcl_comms_drivers.wallet import LocalWallet
from rigs.drivers.logins import login
from rigs.drivers.page import names_of, source

from dcl_comms_core import PeerMoved
from dcl_comms_core.enet import EnetHost, EnetMessage
from dcl_comms_core.testing.script import Join, Leave, Move, Say

ALICE = "0x" + "a1" * 20


def test_bots():
    script = [Join(1.0, ALICE), Say(5.0, ALICE, "!roll 1"), Say(6.0, ALICE, "!roll"), Leave(20.0, ALICE)]
    transcript = run_bot(names_of("bots.md", 0)["bot"], script=script, seconds=1000.0)
    chats = [text for _, text in transcript.chats]
    assert chats == ["welcome, 0xa1a1…a1a1! try !help", "1", "wait 1 s", "still here"]


def test_company_greets(capsys):
    names = names_of("company.md", 0)
    script = [Join(1.0, ALICE), Move(2.0, ALICE, (3.0, 0.0, 4.0))]
    transcript = run_bot(names["greet"], script=script)
    assert [text for _, text in transcript.chats_to(ALICE)] == ["welcome, 0xa1a1…a1a1"]
    assert capsys.readouterr().out.startswith("0xa1a1…a1a1 Vector3(x=3.0, y=0.0, z=4.0) 1")


def test_company_ignores(capsys):
    asyncio.run(names_of("company.md", 1)["main"]("simulator:company?identity=bot"))
    (shown,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\[\('0x0011…2233', [\d.]+\)\]", shown)


def test_records_write_down_and_read(tmp_path):
    names = names_of("records.md", 0)
    file = str(tmp_path / "events.jsonl")

    async def bot(room):
        await names["write_down"](room, file)

    script = [
        Join(1.0, ALICE),
        Say(2.0, ALICE, "hello"),
        Move(3.0, ALICE, (900.0, 0.0, 0.0)),
        Move(20.0, ALICE, (1.0, 0.0, 1.0)),
        Say(30.0, ALICE, "bye"),
    ]
    transcript = run_bot(bot, script=script)
    assert {event.position.x for event in transcript.received if isinstance(event, PeerMoved)} == {900.0, 1.0}
    written = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text(encoding="ascii").splitlines()]
    assert {line["event"] for line in written} == {"chat_received", "peer_moved"}
    assert [line["position"] for line in written if line["event"] == "peer_moved"][:1] == [[1.0, 0.0, 1.0]]
    told = names["words"](file)
    assert [line.rpartition(": ")[2] for line in told] == ["hello", "bye"]


def test_tap_shows_some(capsys):
    async def bot(room):
        room.chat("hello everybody")
        async for _ in room:
            pass

    script = [Join(1.0, ALICE), Say(2.0, ALICE, "good morning"), Say(3.0, ALICE, "bye")]
    run_bot(bot, script=script, settings={"tap": names_of("tap.md", 1)["wanted"], "profile": None})
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition(" ")[0] for line in lines] == ["sent chat", "told chat"]


def test_rooms_merged(capsys):
    names = names_of("rooms.md", 0)
    assert {line.partition(" ")[0] for line in capsys.readouterr().out.splitlines()} == {"1", "2"}
    assert names["merged"].rooms_of(ALICE) == ()


def test_rooms_whisper_where_that_can_be():
    names = names_of("rooms.md", 1)

    async def bot(room):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(names["greeter"](room))
            await asyncio.sleep(20.0)
            await room.aclose()

    transcript = run_bot(bot, script=[Join(1.0, ALICE), Join(1.0, "bob"), Say(5.0, ALICE, "!help")])
    assert transcript.ending is Ending.RETURNED
    assert [text for _, text in transcript.chats_to(ALICE)] == ["roll, time, where"]
    assert transcript.chats_to("bob") == []


def test_identities(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    bot, page = LocalWallet("2e" * 32), LocalWallet("3d" * 32)
    bot.save("bot.key")
    login(page, tmp_path / "login.json", 3600)
    names_of("identity.md", 0)
    told = capsys.readouterr().out.split()
    assert told[1:] == [wallet.address for wallet in (LocalWallet("1f" * 32), bot, page)]
    assert re.fullmatch("0x[0-9a-fA-F]{40}", told[0])


def test_enet():
    names = names_of("enet.md", 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        over = threading.Event()
        answering = threading.Thread(target=answer, args=(udp, over))
        answering.start()
        try:
            assert names["ask"](udp.getsockname()[1]) == b"hello yourself"
        finally:
            over.set()
            answering.join(40)
    assert not answering.is_alive()


def answer(udp, over):
    """A host that answers what it is told."""
    host = EnetHost(entropy=1)
    while not over.is_set():
        if select.select([udp], [], [], 0.02)[0]:
            host.receive(*udp.recvfrom(4096), now=time.monotonic())
        host.handle_timeout(time.monotonic())
        for event in host.events():
            if isinstance(event, EnetMessage):
                event.peer.send(event.data + b" yourself")
        for address, datagram in host.datagrams(now=time.monotonic()):
            udp.sendto(datagram, address)


IN_A_ROOM = """
import asyncio
from dcl_comms_drivers.asyncio import connect

async def main():
    async with connect("simulator:logging?identity=bot", log="greeter"):
        pass

asyncio.run(main())
"""


def test_logging():
    command = [sys.executable, "-c", source("logging.md", 0) + IN_A_ROOM]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    lines = done.stderr.splitlines()
    assert re.fullmatch(r"[-\d]+ [\d:,]+ dcl_comms\.greeter INFO main: .*open.*", lines[0])
    assert all(" dcl_comms.greeter INFO " in line for line in lines)


def test_a_world_without_a_driver(capsys):
    names = names_of("realm.md", 3)
    assert capsys.readouterr().out.startswith("Fetch(")
    assert names["session"].deadline() < inf


def test_positions_by_http():
    world = names_of("pulse.md", 1)["world"]
    assert world.state.value == "new"
