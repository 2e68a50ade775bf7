"""A tick of the Pulse server twin with 500 players in one place, of whom some walk.  Rows of ``make bench ONLY=pulse``.

Without a socket: the clients are in the same process, and outside of the clock.  What is measured is the server's: the tick
itself, and the datagrams that come of it.  A tick is due every 50 ms; whoever walks is told to 499 others.
"""

from __future__ import annotations

import json
import time
from itertools import cycle, islice
from statistics import median
from typing import TYPE_CHECKING

from dcl_comms_core import Limits
from dcl_comms_core.codec import encode
from dcl_comms_core.enet import FORK_FLAG, Delivery, EnetClient, EnetOptions
from dcl_comms_core.proto import pulse, rfc4
from dcl_comms_core.pulse.state import to_state
from dcl_comms_core.servers.pulse import PulseServer, PulseSettings

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from pairs import Row

BENCH = "pulse"
PLAYERS = 500
WALKERS = (0, 10, 50)
"""In each tick."""
TICK = 0.05
TICKS = 12
MOST = 50.0
UNIX = 1_700_000_000.0
SIDE = 32
"""Metres of the square in which they all are."""


class Trusting:
    """Believes that a signature is of the address in it: nobody is to prove anything here."""

    def recover(self, message: str, signature: bytes) -> str | None:
        del message
        return "0x" + signature[12:32].hex()

    def contract_accepts(self, check: object) -> bool | None:
        del check
        return None


def proof(number: int) -> bytes:
    """The handshake of a wallet."""
    address = f"{number + 1:040x}"
    signed = f"connect:/:{round(UNIX * 1000)}:{{}}"
    links = [
        {"type": "SIGNER", "payload": f"0x{address}", "signature": ""},
        {"type": "ECDSA_SIGNED_ENTITY", "payload": signed, "signature": f"0x{address:0>64}{1:064x}1b"},
    ]
    headers = {f"x-identity-auth-chain-{place}": json.dumps(link) for place, link in enumerate(links)}
    return json.dumps(
        {**headers, "x-identity-timestamp": f"{round(UNIX * 1000)}", "x-identity-metadata": "{}"}
    ).encode()


class Crowd:
    """Everybody within a square of 32 m."""

    def __init__(self) -> None:
        self.now = 1.0
        self.server = PulseServer(
            verifier=Trusting(),
            entropy=1,
            settings=PulseSettings(address_players=PLAYERS, address_proving=PLAYERS, proving=PLAYERS),
            limits=Limits(enet_peers=PLAYERS + 1, enet_unproved_peers=PLAYERS),
        )
        self.server.set_clock(UNIX)
        options = EnetOptions(sent_time_flag=FORK_FLAG)
        self.clients = [EnetClient(entropy=number, options=options) for number in range(PLAYERS)]
        self.steps = [0] * PLAYERS
        self.turn = cycle(range(PLAYERS))
        for client in self.clients:
            client.connect(now=self.now)
        for _ in range(3):
            self.pass_on()
        for number, client in enumerate(self.clients):
            state = self.state(number)
            hello = pulse.HandshakeRequest(proof(number), 0, pulse.PlayerInitialState(state, realm="main"))
            client.send(encode(pulse.ClientMessage(handshake=hello)))
        for _ in range(10):
            self.pass_on()
            self.tick()
        assert len(self.server.players()) == PLAYERS

    def state(self, number: int) -> pulse.PlayerState:
        x, z = (number * 7 + self.steps[number] * 0.3) % SIDE, number * 13 % SIDE
        state = to_state(rfc4.Movement(position_x=x, position_z=float(z), velocity_x=3.0, is_grounded=True))
        assert state is not None
        return state

    def pass_on(self) -> None:
        """What everybody has to say arrives."""
        for number, client in enumerate(self.clients):
            for datagram in client.datagrams(now=self.now):
                self.server.receive(datagram, number, now=self.now)
        self.deliver(self.server.datagrams(now=self.now))

    def deliver(self, datagrams: list[tuple[Hashable, bytes]]) -> None:
        for number, datagram in datagrams:
            assert isinstance(number, int)
            self.clients[number].receive(datagram, now=self.now)

    def walk(self, walkers: int) -> None:
        """The next of them say where they are."""
        for number in islice(self.turn, walkers):
            self.steps[number] += 1
            said = pulse.ClientMessage(input=pulse.PlayerStateInput(self.state(number)))
            self.clients[number].send(encode(said), channel=1, delivery=Delivery.UNRELIABLE)
        self.pass_on()

    def tick(self) -> float:
        """Let a tick pass; ms of the processor that it took."""
        self.now += TICK
        start = time.thread_time()
        self.server.handle_timeout(self.now)
        datagrams = self.server.datagrams(now=self.now)
        elapsed = time.thread_time() - start
        self.deliver(datagrams)
        for client in self.clients:
            client.handle_timeout(self.now)
            client.events()
        self.pass_on()
        return elapsed * 1e3


def run(only: str = "") -> Iterator[Row]:
    """Every row whose case has ``only`` in it."""
    cases = {walkers: f"server's tick, {PLAYERS} players in one place, {walkers} walk" for walkers in WALKERS}
    if not any(only in case for case in cases.values()):
        return
    crowd = Crowd()
    for walkers, case in cases.items():
        if only in case:
            took: list[float] = []
            for _ in range(TICKS):
                crowd.walk(walkers)
                took.append(crowd.tick())
            yield {
                "bench": BENCH,
                "case": case,
                "unit": "ms",
                "ours": round(median(took), 2),
                "baseline": MOST,
                "baseline_name": "a tick's time",
                "ratio": round(median(took) / MOST, 3),
                "rounds": [[round(one, 2), MOST] for one in took],
            }


def verdict(rows: list[Row]) -> list[str]:
    """What was asked for, and whether it is so."""
    return [
        f"{row['case']}: {row['ours']} ms of {MOST:g}" for row in rows if str(row["case"]).startswith("server's tick")
    ]
