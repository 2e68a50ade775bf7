"""``realm --bots N``: they are there, have names, walk, greet, answer, never for ever, and end with the realm."""

from __future__ import annotations

import asyncio
import random
import signal
import time

import pytest
from dcl_comms_drivers.asyncio import connect
from dcl_comms_drivers.realm.embedded import EmbeddedRealm
from dcl_comms_drivers.testing import run_bot
from dcl_comms_drivers.wallet import DisposableWallet
from dcl_comms_station.exits import Exit
from dcl_comms_station.residents import village as villages
from dcl_comms_station.residents.lively import Company, lively_bot
from dcl_comms_station.residents.village import names, village
from dcl_comms_station.rooms import in_rooms

from dcl_comms_core import Avatar, ChatReceived, PeerEmoted, PeerId, PeerJoined, PeerMoved
from dcl_comms_core.testing.script import Join, Say


def ada(company=None, home=(8.0, 8.0)):
    return lively_bot("Ada", home, company or Company(), random.Random(1))


# --- one of them, on the virtual clock


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_it_greets_and_answers(backend):
    script = [
        Join(3.0, "alice"),
        Say(20.0, "alice", "!ping"),
        Say(25.0, "alice", "!where"),
        Say(30.0, "alice", "!help"),
        Say(35.0, "alice", "hello all"),
        Say(40.0, "alice", "!ping", ("bot",)),
    ]
    transcript = run_bot(ada(), script=script, backend=backend, seconds=60.0)
    greeting, ping, where, about, private = [text for _, text in transcript.chats]
    assert greeting == "hello alice, I am Ada; try !help"
    assert ping == private == "pong, says Ada"
    assert where.startswith("Ada is at ")
    assert "!dance" in about


def test_it_walks_about_near_its_home():
    places = []

    async def watch(room):
        async for event in room:
            if isinstance(event, PeerMoved | PeerEmoted):
                places.append(event)  # noqa: PERF401 - as they come

    run_bot(ada(), peers={"watcher": watch}, seconds=120.0)
    moves = [event.position for event in places if isinstance(event, PeerMoved)]
    assert len({(round(at.x), round(at.z)) for at in moves}) > 10
    assert all(abs(at.x - 8.0) <= 13.0 and abs(at.z - 8.0) <= 13.0 for at in moves)
    assert any(isinstance(event, PeerEmoted) for event in places)


def test_it_does_not_hear_another_bot():
    company = Company(bots={PeerId("bo")})
    script = [Join(0.0, "bo"), Say(5.0, "bo", "!ping"), Say(6.0, "bo", "!dance"), Say(9.0, "bo", "!help", ("bot",))]
    assert list(run_bot(ada(company), script=script, seconds=30.0).chats) == []


def test_one_of_them_sees_to_it():
    company = Company()
    assert [company.claims("a"), company.claims("a"), company.claims("b")] == [True, False, True]
    for number in range(2_000):
        company.claims(number)
    # What was long ago is forgotten: it takes no memory without end.
    assert company.claims("a")


def test_all_have_names_of_their_own():
    assert names(3) == ["Ada", "Bo", "Cy"]
    assert names(0) == []
    assert len(set(names(50))) == 50


# --- in a realm


async def until(condition):
    async with asyncio.timeout(90):
        while not condition():
            await asyncio.sleep(0.05)


async def heard(chats, condition):
    """All that is said until one of it is this."""
    said = []
    async with asyncio.timeout(90):
        async for event in chats:
            said.append(event.text)
            if condition(event.text):
                break
    return said


def is_dance(event):
    return event.urn.endswith("dance")


def test_they_live_in_a_realm_and_end_with_it():
    async def main():
        async with EmbeddedRealm(livekit=False) as realm:
            async with village(realm, 3) as called, connect(realm.url, wallet=DisposableWallet()) as room:
                await until(lambda: len(in_rooms(room)) == 3)
                there = in_rooms(room)
                assert sorted([(await room.whois(who)).name for who in there]) == called
                for who in there:
                    await room.wait_for(PeerMoved, sender=who, timeout=90)
                async with (
                    room.listen(ChatReceived) as chats,
                    connect(realm.url, wallet=DisposableWallet()) as visitor,
                ):
                    greeting = f"hello {visitor.identity.short}, I am "
                    await heard(chats, lambda text: text.startswith(greeting))
                    room.chat("!ping")
                    room.chat("!where")
                    # One of them says so, and nobody answers to that.
                    said = await heard(chats, lambda text: " is at " in text)
                    assert sum("pong" in text for text in said) == 1
                dances = [room.wait_for(PeerEmoted, is_dance, sender=who, timeout=90) for who in there]
                room.chat("!dance")
                for dance in dances:
                    await dance
            await until(lambda: not realm.peers)

    asyncio.run(main())


def test_one_that_fails_ends_nothing_else(monkeypatch, capsys):
    real = villages.lively_bot

    def lively(name, *rest):
        bot = real(name, *rest)
        if name == "Bo":

            async def start(*_target, **_settings):
                msg = "no\x1b[2J legs"
                raise RuntimeError(msg)

            bot.start = start
        return bot

    monkeypatch.setattr(villages, "lively_bot", lively)

    async def main():
        async with EmbeddedRealm(livekit=False) as realm, village(realm, 2):
            await until(lambda: len(realm.peers) == 1)
            # It goes on serving.
            async with connect(realm.url, wallet=DisposableWallet()) as room:
                assert room.realm is not None

    asyncio.run(main())
    assert capsys.readouterr().err == "dcl-comms: the bot Bo has ended: no[2J legs\n"


def test_a_handler_that_fails_is_told_of(monkeypatch):
    bot = ada()

    async def main():
        wallet = DisposableWallet()
        async with EmbeddedRealm(livekit=False) as realm:

            @bot.on(PeerJoined)
            async def fail(_ctx, _event):
                msg = "oh"
                raise RuntimeError(msg)

            told = []
            monkeypatch.setattr(villages, "complain", told.append)
            avatar = Avatar(name="Ada")
            life = asyncio.create_task(villages.live(bot, "Ada", realm.url, (0.0, 0.0), wallet, avatar))
            async with connect(realm.url, wallet=DisposableWallet()):
                await until(lambda: told == ["the bot Ada: oh"])
            assert not life.done()
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)

    asyncio.run(main())


def test_the_command_shows_them_to_tail(on_pipes, run_process):
    realm = on_pipes("realm", "--ws-room", "--bots", "3")
    url = realm.until("A realm is at").split("; ")[0].removeprefix("A realm is at ")
    assert realm.until("live there").startswith("Ada, Bo, Cy live there")
    seen = set()
    end = time.monotonic() + 90
    while len(seen) < 3:
        assert time.monotonic() < end
        result = run_process("tail", url, "--only", "peer_joined", "--count", "3", "--seconds", "10")
        assert result.returncode == Exit.OK
        seen |= {line.rsplit(" ", 1)[1] for line in result.stdout.splitlines()}
    realm.process.send_signal(signal.SIGTERM)
    assert realm.wait() == (128 + signal.SIGTERM, [])


@pytest.mark.parametrize("count", ["-1", "51", "many"])
def test_so_many_and_no_more(run_cli, count):
    result = run_cli("realm", "--ws-room", "--bots", count)
    assert (result.exit_code, len(result.stderr.splitlines())) == (Exit.USAGE, 1)
