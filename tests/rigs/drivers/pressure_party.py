"""One process of the tests of pressure, its target on standard input::

    pressure_party.py send|receive LOOP SECONDS
    pressure_party.py forge UNREAD IDENTITIES
    pressure_party.py crowd LOOP SECONDS

UNREAD: how many MiB the application leaves unread; at 0 it reads all.

``crowd`` makes a ws-room over real sockets and tells its target; after a further line on standard input there are two peers in it, of
whom one says a word now and then, and the other moves 5,000 times a second, if its own target was not ``quiet``.

It answers with lines of JSON.  RSS is of this process alone, in MiB.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path

from dcl_comms_drivers.realm.embedded import realm_in_thread
from dcl_comms_drivers.wallet import LocalWallet
from rigs.drivers.kit import Kit

from dcl_comms_core import (
    Chat,
    Limits,
    LinkOpened,
    Movement,
    Packet,
    PacketReceived,
    Participant,
    ParticipantJoined,
    ParticipantLeft,
    PeerId,
    PeerJoined,
    PlayerEmote,
    ProfileResponse,
    RoomSession,
    Scene,
    SendData,
    SendQueueFull,
    SimulatorAdapter,
    Track,
    TrackAppeared,
    TrackKind,
    TrackSource,
    encode,
)
from dcl_comms_core.room.event_queue import Unread

HONEST, FLOODING, READING = (LocalWallet(f"{number:064x}") for number in (1, 2, 3))
WORD = encode(Packet(scene=Scene(scene_id="honest", data=b"word"), protocol_version=100))
WORDS_RATE, FLOOD_RATE = 50, 5_000
TICK = 0.001


def rss() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise OSError("no VmRSS in /proc/self/status")


def say(**fact: object) -> None:
    print(json.dumps(fact), flush=True)


async def send(kit: Kit, target: str, seconds: float) -> None:
    """Push without a pause: mostly with ``send``, and each hundredth time with ``send_nowait`` until it refuses."""
    data = encode(Packet(scene=Scene(scene_id="pressure", data=bytes(1_000)), protocol_version=100))
    lossy = Packet(movement=Movement(timestamp=1.0))
    async with kit.connect(target) as room:
        await room.expect(PeerJoined, timeout=40.0)
        before = peak = rss()
        sent = refused = 0
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(100):
                await room.connection.send(data)
                await room.connection.send(lossy)
                sent += 2
            try:
                while True:
                    room.connection.send_bytes(data)
                    sent += 1
            except SendQueueFull:
                refused += 1
            peak = max(peak, rss())
        waiting = room.connection.stats.waiting
        await room.connection.flush()
        say(sent=sent, refused=refused, waiting=waiting, grown=max(peak, rss()) - before)


async def receive(kit: Kit, target: str, _seconds: float) -> None:
    """Count packets until the sender has left."""
    delivered = 0
    async with kit.connect(target, delivery="packets") as room:
        before = rss()
        say(did="open")
        sender_left = False
        while not sender_left:
            event = await room.connection.__anext__()
            delivered += isinstance(event, PacketReceived)
            sender_left = type(event).__name__ == "PeerLeft"
        say(delivered=delivered, grown=rss() - before, lost=dict(room.connection.stats.lost))


async def crowd(kit: Kit, flood: str, seconds: float) -> None:
    """What goes into a ws-room, and the room itself."""
    async with contextlib.AsyncExitStack() as stack:
        # No one is to miss anything because the service lets go of it.
        realm = stack.enter_context(realm_in_thread(livekit=False, limits=Limits(server_queue_bytes=1 << 24)))
        target = f"ws-room:{realm.url.replace('http', 'ws', 1)}/rooms/crowd"
        say(target=target)
        await kit.in_thread(sys.stdin.readline)
        honest = await stack.enter_async_context(kit.connect(target, wallet=HONEST))
        flooding = await stack.enter_async_context(kit.connect(target, wallet=FLOODING, silent=True))
        words = moves = 0
        start = time.monotonic()
        while (passed := time.monotonic() - start) < seconds:
            while words < passed * WORDS_RATE:
                await honest.connection.send(WORD)
                words += 1
            while flood != "quiet" and moves < passed * FLOOD_RATE:
                at = Packet(movement=Movement(timestamp=moves / FLOOD_RATE, position_x=1.0), protocol_version=100)
                await flooding.connection.send(at)
                moves += 1
            await kit.sleep(TICK)
        rate = moves / (time.monotonic() - start)
        await honest.connection.flush()
        await flooding.connection.flush()
    say(words=words, moves=moves, rate=rate)


def forge(unread_mib: int, identities: int) -> None:
    """Identities that come, publish, talk and go, and an application that reads all of it, or nothing."""
    session = RoomSession(SimulatorAdapter("x"))
    session.open(now=0.0)
    (command,) = session.commands()
    link = command.link
    session.receive(LinkOpened(link=link, identity="me", room="r", participants=()), now=0.0)
    unread = Unread(Limits(event_queue_bytes=max(unread_mib, 1) * 2**20))
    scene = encode(Packet(scene=Scene(scene_id="b", data=bytes(100)), protocol_version=100))
    # A text takes four bytes a character in memory, once one of its characters does.
    profile = ProfileResponse(serialized_profile='{"version":1,"name":"\U0001f600"}' + " " * 20_000)
    told = 0

    def settle(now: float) -> int:
        for command in session.commands():
            if isinstance(command, SendData):
                session.receive_acknowledged((command.token,), now=now)
        unread.put(session.events())
        if not unread_mib:
            return len(unread.take())
        return unread.trim(now, "x") if unread.full else 0

    peak = before = rss()
    for number in range(identities):
        now = number / 5_000
        who = f"0x{number:040x}"
        # Half of them stay, so that every table fills up; the other half go, and are remembered for a while.
        session.receive(
            ParticipantJoined(link=link, participant=Participant(identity=who, sid=f"PA_{number}")), now=now
        )
        if number < 512:  # more than there is room for
            session.request_profile(PeerId(who), now=now)
        track = Track(sid=f"TR_{number}", kind=TrackKind.AUDIO, source=TrackSource.MICROPHONE, name="mic")
        session.receive(TrackAppeared(link=link, identity=who, track=track), now=now)
        session.receive_data(who, encode(Packet(movement=Movement(timestamp=now))), now=now)
        for packet in (
            Packet(chat=Chat(message=f"{number}" * 20, timestamp=46_000.0 + number)),
            Packet(player_emote=PlayerEmote(urn="wave", incremental_id=number)),
            Packet(profile_response=profile),
        ):
            session.receive_data(who, encode(packet), now=now)
        session.receive_data(f"unheard-of-{number}", scene, now=now, source=number)
        session.receive_data(None, scene, now=now, source=number)
        if number % 2:
            session.receive(ParticipantLeft(link=link, identity=who), now=now)
        if number % 32 == 0:  # about as many inputs as a turn takes
            session.handle_timeout(now)
            told += settle(now)
            peak = max(peak, rss())
    say(
        grown=peak - before,
        peers=len(session.peers),
        profiles=sum(session.profile(peer) is not None for peer in session.peers),
        told=told + len(unread),
    )


def main() -> None:
    what, loop, seconds = sys.argv[1:4]
    if what == "forge":
        forge(int(loop), int(seconds))
        return
    target = sys.stdin.readline().strip()
    Kit(loop).run({"send": send, "receive": receive, "crowd": crowd}[what], target, float(seconds))


if __name__ == "__main__":
    main()
