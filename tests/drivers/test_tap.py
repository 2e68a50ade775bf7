"""connect(tap=...): one observer sees a whole connection, on every loop, and never a secret."""

from __future__ import annotations

import pytest
from dcl_comms_drivers.realm.embedded import realm_in_thread
from dcl_comms_drivers.wallet import DisposableWallet
from rigs.drivers.kit import Kit

from dcl_comms_core import (
    ChatReceived,
    Fetch,
    Fetched,
    FrameReceived,
    IslandChanged,
    LinkOpened,
    OpenLink,
    OpenSocket,
    PeerJoined,
    RoomOpened,
    SendFrame,
    SignatureNeeded,
    SocketOpened,
)

LOOPS = pytest.mark.parametrize("loop", ["asyncio", "trio", "polled"])


class Tap:
    def __init__(self):
        self.packets, self.out, self.acknowledgements, self.steps = [], [], [], []

    def received(self, at, room, sender, data, *, reliable, topic, private, verdict):
        self.packets.append((room, sender, data, private, verdict))

    def sent(self, at, room, command):
        self.out.append((room, command))

    def acknowledged(self, at, room, tokens, *, failed):
        self.acknowledgements += [(room, token, failed) for token in tokens]

    def step(self, at, item):
        assert at > 0
        self.steps.append(item)

    def of(self, kind):
        return [item for item in self.steps if isinstance(item, kind)]


@LOOPS
def test_a_room_is_seen_whole(loop):
    tap = Tap()

    async def scenario(kit):
        async with (
            kit.connect(f"simulator:tap-{loop}?identity=alice", tap=tap) as alice,
            kit.connect(f"simulator:tap-{loop}?identity=bob") as bob,
        ):
            await alice.expect(PeerJoined)
            alice.chat("hello")
            bob.chat("hi")
            await bob.flush()
            await alice.expect(ChatReceived)
            await alice.flush()

    Kit(loop, silent=True).run(scenario)
    assert tap.of(OpenLink)
    assert tap.of(LinkOpened)
    assert tap.of(RoomOpened)
    assert [event.text for event in tap.of(ChatReceived)] == ["hi"]
    assert [(sender.text, verdict) for _, sender, _, _, verdict in tap.packets] == [("bob", "told")]
    ((room, command),) = tap.out
    assert (room, command.token, False) in tap.acknowledgements
    assert not [item for item in tap.steps if type(item).__name__ in {"SendData", "DataReceived", "SendAcknowledged"}]


@LOOPS
def test_a_realm_is_seen_whole_and_without_a_secret(loop):
    tap = Tap()
    with realm_in_thread(livekit=False) as realm:

        async def scenario(kit):
            async with (
                kit.connect(realm.url, wallet=DisposableWallet(), tap=tap) as alice,
                kit.connect(realm.url, wallet=DisposableWallet()) as bob,
            ):
                await alice.expect(PeerJoined)
                bob.chat("hi")
                await bob.flush()
                await alice.expect(ChatReceived)

        Kit(loop).run(scenario)
    for kind in (Fetch, Fetched, OpenSocket, SocketOpened, FrameReceived, SendFrame, IslandChanged):
        assert tap.of(kind), kind
    assert not any(frame.data.strip(b"\0") for frame in tap.of((FrameReceived, SendFrame)))
    assert not any(answer.body.strip(b"\0") for answer in tap.of(Fetched))
    assert all(set(need.payload) == {"x"} for need in tap.of(SignatureNeeded))
    assert "told" in {verdict for *_, verdict in tap.packets}
    # A login's chain, and what is signed with it, begin so.
    shown = "".join(map(repr, tap.steps)).lower()
    assert "ecdsa_ephemeral" not in shown
    assert "dcl-" not in shown


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_what_a_tap_raises_ends_the_connection(loop):
    class Broken(Tap):
        def received(self, *args, **how):
            raise ZeroDivisionError("planted")

    async def scenario(kit):
        async with kit.connect(f"simulator:broken-{loop}?identity=bob") as bob:
            with pytest.raises(ZeroDivisionError, match="planted"):
                async with kit.connect(f"simulator:broken-{loop}?identity=alice", tap=Broken()) as alice:
                    await alice.expect(PeerJoined)
                    bob.chat("hello")
                    while True:
                        await kit.within(40, alice.next)

    Kit(loop).run(scenario)
