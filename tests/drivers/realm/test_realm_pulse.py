"""An embedded realm: its islands are formed from Pulse, on which ENet's clients are, with real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import time

import pytest
from dcl_comms_drivers.realm.embedded import EmbeddedRealm, RealmSettings, realm_in_thread
from rigs.core.pulse_server import OPTIONS, at, proof
from rigs.drivers.realm import LOOPS, realm, tour, wallet

from dcl_comms_core import IslandChanged, LocalProtocolError, decode_message, encode
from dcl_comms_core.enet import EnetClient, EnetConnected, EnetDisconnected, EnetMessage
from dcl_comms_core.proto import pulse
from dcl_comms_core.pulse.parcels import index_of
from dcl_comms_core.pulse.reasons import DisconnectReason

EACH = pytest.mark.parametrize("loop", LOOPS)


class Swimmer:
    """Somebody on Pulse: an ENet client on a socket of its own."""

    def __init__(self, where, who):
        host, _, port = where.partition(":")
        self.who = who
        self.address = who.address.lower()
        self.link = self
        self.events = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect((host, int(port)))
        self._client = EnetClient(entropy=time.monotonic_ns(), options=OPTIONS)
        self._client.connect(now=time.monotonic())

    def turn(self):
        now = time.monotonic()
        try:
            while True:
                self._client.receive(self._socket.recv(4_096), now=now)
        except OSError:
            pass  # nothing more, or nobody there
        self._client.handle_timeout(now)
        for datagram in self._client.datagrams(now=now):
            try:
                self._socket.send(datagram)
            except OSError:
                pass
        self.events += self._client.events()

    def abandon(self):
        self._socket.close()

    def say(self, **message):
        self._client.send(encode(pulse.ClientMessage(**message)))

    def teleport(self, x, z, realm="embedded"):
        self.say(teleport=pulse.TeleportRequest(parcel_index=index_of(x, z), realm=realm))

    def told(self, kind):
        messages = [decode_message(pulse.ServerMessage, e.data) for e in self.events if isinstance(e, EnetMessage)]
        return [getattr(message, kind) for message in messages if getattr(message, kind) is not None]

    @property
    def ended(self):
        ends = [event for event in self.events if isinstance(event, EnetDisconnected)]
        return DisconnectReason(ends[0].data) if ends else None


async def swim(t, who, x=0, z=0):
    """Go to the realm's Pulse by what its document says, and be somewhere."""
    about = json.loads((await t.fetch("/about")).body)
    one = Swimmer(about["comms"]["pulse"], who)
    t.visitors.append(one)
    await t.until(lambda: any(isinstance(event, EnetConnected) for event in one.events))
    chain = proof(who, millis=int(time.time() * 1_000))
    one.say(handshake=pulse.HandshakeRequest(auth_chain=chain))
    await t.until(lambda: one.told("handshake"))
    one.teleport(x, z, about["configurations"]["realmName"])
    return one


@EACH
def test_islands_come_from_pulse_to_the_same_login(loop):
    async def scenario(t):
        visitors = [await t.visit(wallet(number)) for number in (1, 2)]
        swimmers = [await swim(t, wallet(number)) for number in (1, 2)]
        await t.until(lambda: {one.island for one in visitors} == {"island-C1"})
        assert t.realm.islands == {"island-C1": frozenset(one.address for one in visitors)}
        assert [player.wallet for player in t.realm.players] == [one.address for one in swimmers]
        await t.until(lambda: all(one.told("player_joined") for one in swimmers))
        swimmers[1].teleport(40, 0)
        await t.until(lambda: visitors[1].island == "island-C2")
        change = visitors[1].of(IslandChanged)[-1]
        assert change.previous == "island-C1"
        assert change.adapter.url.endswith("/realm/rooms/island-C2")
        # What one says, the other hears; not from 640 metres.
        swimmers[1].teleport(0, 0)
        await t.until(lambda: visitors[1].island == "island-C1")
        swimmers[0].say(input=pulse.PlayerStateInput(state=at(position_x=7)))
        await t.until(lambda: [one for one in swimmers[1].told("player_state_delta") if one.position_x == 7])

    with realm() as one:
        tour(loop, one, scenario)


@EACH
def test_bans_and_kicks(loop):
    async def scenario(t):
        one, other = await swim(t, wallet(1)), await swim(t, wallet(2))
        assert t.realm.counters["pulse.welcomed"] == 2
        t.realm.ban(one.address)
        assert t.realm.kick(other.address)
        await t.until(lambda: (one.ended, other.ended) == (DisconnectReason.BANNED, DisconnectReason.GRACEFUL))
        assert t.realm.players == ()

    with realm() as one:
        tour(loop, one, scenario)


@EACH
def test_a_realm_that_is_cut_off_tells_nobody_and_knows_nobody_later(loop):
    async def scenario(t):
        one = await swim(t, wallet(1))
        where = t.realm.pulse_at
        t.realm.restart()
        assert t.realm.pulse_at == where
        other = await swim(t, wallet(2))
        assert [player.wallet for player in t.realm.players] == [other.address]
        assert one.ended is None

    with realm() as one:
        tour(loop, one, scenario)


def test_leaving_the_block_tells_those_who_are_on_pulse():
    async def scenario():
        who = wallet(1)
        async with EmbeddedRealm(livekit=False) as one:
            swimmer = Swimmer(one.pulse_at, who)
            end = time.monotonic() + 20
            while not any(isinstance(event, EnetConnected) for event in swimmer.events):
                swimmer.turn()
                await asyncio.sleep(0.005)
                assert time.monotonic() < end
            # Its address is proved with what it says next.
            swimmer.turn()
            while not one.do(lambda server, _: server.pulse.counters["connected"]):
                await asyncio.sleep(0.005)
                assert time.monotonic() < end
        while swimmer.ended is None:
            swimmer.turn()
            await asyncio.sleep(0.005)
            assert time.monotonic() < end
        assert swimmer.ended is DisconnectReason.GRACEFUL
        swimmer.abandon()
        with pytest.raises(LocalProtocolError):
            _ = one.players

    asyncio.run(scenario())


def test_a_port_of_pulse_that_is_taken_leaves_nothing_behind():
    async def scenario():
        async with EmbeddedRealm(livekit=False) as one:
            await one.down()
            host, _, port = one.pulse_at.partition(":")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.bind((host, int(port)))
                with pytest.raises(OSError, match="in use"):
                    await one.up()
            await one.up()
            assert one.pulse_at == f"{host}:{port}"

    asyncio.run(scenario())


def test_heartbeats_are_the_older_way():
    with realm_in_thread(livekit=False, islands="heartbeats") as one:
        assert (one.pulse_at, one.players) == (None, ())
    with realm_in_thread(
        livekit=False, islands="pulse", settings=RealmSettings(name="plaza", islands="heartbeats")
    ) as one:
        assert one.pulse_at is not None
        assert one.do(lambda server, _: server.settings) == RealmSettings(name="plaza")
