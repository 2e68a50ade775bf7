"""Whatever happens to a room over our own engine, no text of it holds a token, a signature or a key: canaries in all of them."""

from __future__ import annotations

import gc
import itertools
import logging
import traceback
from pathlib import Path

import pytest
from dcl_comms_drivers.wallet import LocalWallet
from rigs.core.canary import assert_no_secret, exception_texts
from rigs.drivers.kit import LOOPS, Kit
from rigs.drivers.realm import realm

from dcl_comms_core import (
    ChatReceived,
    CloseReason,
    ConnectionLost,
    LocalProtocolError,
    PeerJoined,
    RoomMetadataChanged,
)
from dcl_comms_core.adapters.token import AccessToken

pytestmark = [pytest.mark.livekit, pytest.mark.usefixtures("rtc")]

CANARY = "c0ffee" * 10 + "beef"
ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20
numbers = itertools.count()


class Signing:
    """A wallet whose signatures are known."""

    def __init__(self):
        self._wallet = LocalWallet(CANARY)
        self.address = self._wallet.address
        self.signatures = []

    async def sign(self, message):
        self.signatures.append(await self._wallet.sign(message))
        return self.signatures[-1]


class Tap:
    """Writes down all that it is told."""

    def __init__(self):
        self.texts = []

    def received(self, *args, **how):
        self.texts.append(repr((args, how)))

    def sent(self, *args):
        self.texts.append(repr(args))

    def acknowledged(self, *args, **how):
        self.texts.append(repr((args, how)))

    def step(self, at, item):
        self.texts.append(f"{item!r} {item}")


def of_ours():
    """The texts of every object of ours that lives."""
    gc.collect()
    return {repr(thing) for thing in gc.get_objects() if type(thing).__module__.startswith("dcl_comms")}


def tokens(besides=frozenset()):
    """Those that anything of ours holds, newer ones of the server's too, without those of earlier tests."""
    return {thing.reveal() for thing in gc.get_objects() if isinstance(thing, AccessToken)} - besides


def arguments():
    """Of this process and of those that it started."""
    tasks = Path("/proc/self/task").glob("*/children")
    mine = [number for children in tasks for number in children.read_text(encoding="ascii").split()]
    return [Path("/proc", number, "cmdline").read_text(encoding="utf-8") for number in ("self", *mine)]


@pytest.fixture
def listening(caplog, capfd, monkeypatch):
    """All that is logged or printed, of any library's; gives a function for it."""
    caplog.set_level(1)
    for name in ("asyncio", "httpx", "websockets", "h11"):
        caplog.set_level(1, name)
    monkeypatch.setattr(logging, "raiseExceptions", True)

    def heard():
        logged = [f"{one.getMessage()} {one.args!r} {one.exc_text} {one.stack_info}" for one in caplog.records]
        assert logged
        return [*logged, *capfd.readouterr()]

    return heard


@pytest.mark.parametrize("loop", LOOPS)
def test_a_room_and_all_its_ends(loop, livekit_room, listening, tmp_path):
    room, tap, journal, before = livekit_room(), Tap(), tmp_path / "journal", tokens()
    texts, secrets = [], {room.server.secret}

    async def refused(kit, target, *reasons):
        with pytest.raises(ConnectionLost) as caught:
            async with kit.connect(target, tap=tap):
                pytest.fail("it opened")
        assert caught.value.reason in reasons
        texts.extend([*exception_texts(caught.value), *traceback.format_exception(caught.value)])
        secrets.add(target.partition("access_token=")[2])

    async def scenario(kit):
        target = room.connection_string(ALICE)
        secrets.add(target.partition("access_token=")[2])
        async with (
            kit.connect(target, tap=tap, journal=journal, log="canary") as alice,
            kit.connect(room.connection_string(BOB)) as bob,
        ):
            await alice.expect(PeerJoined)
            bob.chat("hello")
            await bob.flush()
            await alice.expect(ChatReceived)
            with pytest.raises(LocalProtocolError) as misuse:
                alice.send_bytes("no bytes")
            texts.extend(exception_texts(misuse.value))
            # The server makes newer tokens where it changes what we are.
            room.server.update_participant(room.name, ALICE, metadata="m")
            room.server.update_room_metadata(room.name, "m")
            await alice.expect(RoomMetadataChanged)
            while len(tokens(before)) <= 2:
                await alice.read_for(0.05)
            secrets.update(tokens(before))
            texts.extend(of_ours())
            room.server.remove_participant(room.name, ALICE)
            with pytest.raises(ConnectionLost) as removed:
                while True:
                    await kit.within(40, alice.next)
            texts.extend([*exception_texts(removed.value), *map(repr, alice.seen), repr(alice.stats)])
        await refused(kit, room.connection_string(ALICE, ttl=-100), CloseReason.TOKEN_EXPIRED)
        await refused(kit, room.connection_string(ALICE, roomJoin=False), CloseReason.PERMISSION)
        # LiveKit's own words repeat the whole token.
        forged = room.connection_string(ALICE)[:-6] + "AAAAAA"
        await refused(kit, forged, CloseReason.AUTHENTICATION)
        await refused(kit, target.replace(str(room.server.port), "9"), CloseReason.UNREACHABLE)

    Kit(loop, engine="rtc").run(scenario)
    assert len(secrets) > 6
    nowhere(secrets, journal, [*texts, *tap.texts, *listening(), *arguments()])


def nowhere(secrets, journal, texts):
    shown = "\n".join(set(texts))
    print(len(secrets), "secrets,", len(shown), "characters")
    for secret in secrets:
        assert_no_secret(secret, shown)
    # What a token says is needed to run a journal again; what makes it one is not there.
    written = journal.read_text(encoding="utf-8")
    for secret in secrets:
        assert_no_secret(secret.rpartition(".")[2], written)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_realm_whose_rooms_it_carries(loop, livekit_server, listening, tmp_path):
    """A login's chain goes to the realm, and a token comes back for the room."""
    wallet, tap, journal, before = Signing(), Tap(), tmp_path / "journal", tokens()
    texts, secrets = [], {CANARY}

    async def scenario(kit):
        async with (
            kit.connect(place.url, wallet=wallet, tap=tap, journal=journal, log="canary", heartbeat=0.05) as alice,
            kit.connect(place.url, wallet=LocalWallet(f"{7:064x}"), heartbeat=0.05) as bob,
        ):
            while "island" not in bob.rooms_of(alice.identity):
                await bob.read_for(0.02)
                await alice.read_for(0.02)
            bob.chat("hello")
            await bob.flush()
            await alice.expect(ChatReceived)
            assert alice.stats.link
            secrets.update(tokens(before))
            texts.extend([*of_ours(), *map(repr, alice.seen)])

    with realm(livekit=livekit_server, prefix=f"canary-{next(numbers)}-") as place:
        Kit(loop, engine="rtc").run(scenario)
    assert wallet.signatures
    assert len(secrets) > 2
    secrets.update(one.removeprefix("0x") for one in wallet.signatures)
    nowhere(secrets, journal, [*texts, *tap.texts, *listening(), *arguments()])


def test_the_canary_would_sing(livekit_room):
    target = livekit_room().connection_string(ALICE)
    token = AccessToken(target.partition("access_token=")[2])
    assert token.reveal() in tokens()
    with pytest.raises(AssertionError, match="holds a secret"):
        assert_no_secret(token.reveal(), *of_ours(), target)
