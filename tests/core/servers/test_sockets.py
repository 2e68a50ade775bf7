"""A server's clients, without a server around them: who is taken, how long they have, how they go."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from dcl_comms_core import (
    ClockSet,
    CloseReason,
    CloseSocket,
    FrameReceived,
    Limits,
    LinkOpened,
    LinkRef,
    LocalProtocolError,
    SendAcknowledged,
    SendFrame,
    SocketClosed,
    Stage,
)
from dcl_comms_core.packets.envelope import WEBSOCKET_MAX_FRAME
from dcl_comms_core.servers.sockets import Client, Sockets

A, B, C = LinkRef(1, 1), LinkRef(2, 1), LinkRef(3, 1)


class Bench:
    """Sockets with ten seconds for each step, and what they told of their clients."""

    def __init__(self, **limits: int) -> None:
        self.clients: dict[LinkRef, Client] = {}
        self.frames: list[bytes] = []
        self.gone: list[LinkRef] = []
        self.sockets = Sockets(
            on_frame=self._on_frame,
            left=lambda client: self.gone.append(client.link),
            stage_seconds=10.0,
            limits=Limits(**limits),
        )

    def _on_frame(self, client: Client, data: bytes) -> None:
        self.clients[client.link] = client
        self.frames.append(data)

    def hear(self, link: LinkRef, data: bytes = b"x", *, now: float = 0.0) -> None:
        self.sockets.receive(FrameReceived(link=link, data=data), now=now)

    def client(self, link: LinkRef, *, now: float = 0.0) -> Client:
        """One that was accepted and said something."""
        self.sockets.accept(link, "plaza", now)
        self.hear(link, now=now)
        return self.clients[link]

    def counts(self) -> dict[str, int]:
        return dict(self.sockets.counters)


def test_a_client_that_was_accepted_is_asked_who_it_is_and_heard() -> None:
    bench = Bench()
    client = bench.client(A)
    assert (client.link, client.room, client.alias, client.stage) == (A, "plaza", 1, Stage.IDENTIFYING)
    assert (bench.frames, bench.counts()) == ([b"x"], {"accepted": 1})
    assert bench.client(B).alias == 2


def test_a_link_is_one_clients() -> None:
    bench = Bench()
    bench.client(A)
    with pytest.raises(LocalProtocolError, match="this link is a client's already"):
        bench.sockets.accept(A, "plaza", 0.0)
    assert bench.client(B).alias == 2


def test_beyond_the_limit_a_client_is_hung_up_on() -> None:
    bench = Bench(server_sockets=1)
    bench.client(A)
    bench.sockets.accept(B, "plaza", 0.0)
    assert bench.sockets.take_commands() == [CloseSocket(link=B)]
    bench.hear(B)
    assert bench.counts() == {"accepted": 1, "refused.full": 1, "late": 1}


def test_a_frame_that_the_real_servers_take_is_heard_and_no_longer_one() -> None:
    bench = Bench()
    bench.client(A)
    bench.hear(A, bytes(WEBSOCKET_MAX_FRAME))
    bench.hear(A, bytes(WEBSOCKET_MAX_FRAME + 1))
    assert [len(frame) for frame in bench.frames] == [1, WEBSOCKET_MAX_FRAME]
    assert (bench.sockets.take_commands(), bench.counts()["refused.frame"]) == ([CloseSocket(link=A)], 1)


def test_whoever_takes_too_long_for_a_step_is_hung_up_on() -> None:
    bench = Bench()
    client = bench.client(A)
    bench.client(B, now=1.0)
    bench.sockets.handle_timeout(5.0)
    bench.sockets.step(client, Stage.PROVING)
    assert bench.sockets.deadline() == 11.0
    bench.sockets.handle_timeout(11.0)
    assert (bench.sockets.take_commands(), bench.sockets.deadline()) == ([CloseSocket(link=B)], 15.0)
    bench.sockets.handle_timeout(20.0)
    assert (bench.sockets.take_commands(), bench.sockets.deadline()) == ([CloseSocket(link=A)], None)
    assert (bench.counts()["refused.time"], bench.gone) == (2, [])


def test_who_was_let_in_may_stay_and_is_told_of_once_it_is_gone() -> None:
    bench = Bench()
    bench.sockets.let_in(bench.client(A))
    bench.client(B)
    bench.sockets.handle_timeout(9.0)
    assert bench.sockets.deadline() == 10.0
    for link in (A, B, C, A):
        bench.sockets.receive(SocketClosed(link=link, reason=CloseReason.NETWORK), now=9.0)
    assert (bench.gone, bench.sockets.deadline(), bench.sockets.take_commands()) == ([A], None, [])
    assert bench.counts() == {"accepted": 2, "welcomed": 1}


def test_a_kick_is_a_last_word_and_a_refusal_none() -> None:
    bench = Bench()
    first, second = bench.client(A), bench.client(B)
    bench.sockets.let_in(first)
    bench.sockets.send(first, b"hello")
    bench.sockets.kick(first, b"bye")
    bench.sockets.refuse(second, "chain")
    assert bench.sockets.take_commands() == [
        SendFrame(link=A, token=0, data=b"hello"),
        SendFrame(link=A, token=0, data=b"bye"),
        CloseSocket(link=A),
        CloseSocket(link=B),
    ]
    assert (bench.gone, bench.sockets.take_commands()) == ([A], [])
    assert bench.counts() == {"accepted": 2, "welcomed": 1, "kicked": 1, "refused.chain": 1}


def test_what_no_client_sends_is_a_mistake_and_an_acknowledgement_is_nothing() -> None:
    bench = Bench()
    bench.sockets.receive(SendAcknowledged(link=A, token=1), now=0.0)
    with pytest.raises(LocalProtocolError, match="not LinkOpened"):
        bench.sockets.receive(LinkOpened(link=A, identity="x", room="y"), now=0.0)
    assert bench.counts() == {}


@pytest.mark.parametrize("no_time", [nan, inf])
def test_a_time_that_is_none_is_a_mistake(no_time: float) -> None:
    bench = Bench()
    calls: list[Any] = [
        lambda: bench.sockets.accept(A, "plaza", no_time),
        lambda: bench.sockets.handle_timeout(no_time),
        lambda: bench.hear(A, now=no_time),
        lambda: bench.sockets.receive(ClockSet(unix_offset=no_time), now=0.0),
    ]
    for call in calls:
        with pytest.raises(LocalProtocolError, match="finite"):
            call()
    assert bench.sockets.clock.unix_now() is None
