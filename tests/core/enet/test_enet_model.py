"""Two clients and a host on a line on which anything may happen; the same calls give the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from rigs.core.enet import Network, Party

from dcl_comms_core.enet import Delivery, EnetConnected, EnetDisconnected, EnetMessage, EnetPeer
from dcl_comms_core.enet.fragments import OVERHEAD
from dcl_comms_core.errors import SendQueueFull
from dcl_comms_core.states import EnetState

CHANNELS = {Delivery.RELIABLE: 0, Delivery.UNRELIABLE: 1, Delivery.UNSEQUENCED: 2}
sizes = st.one_of(st.integers(0, 50), st.sampled_from([1_243, 1_244, 1_245, 5_000, 30_000]))
deliveries = st.sampled_from(list(Delivery))


class Model(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 1_000))
    def begin(self, seed: int) -> None:
        self.line = Network(seed=seed)
        self.parties = [self.line.client(), self.line.client()]
        self.sent: dict[tuple[EnetPeer, Delivery], list[bytes]] = {}
        self.number = 0
        self.large = False
        for party in self.parties:
            party.client.connect(now=self.line.now)
        self.line.run(1.0)

    def say(self, peer: EnetPeer, size: int, delivery: Delivery) -> None:
        self.number += 1
        message = self.number.to_bytes(4, "big") + bytes(size)
        try:
            peer.send(message, channel=CHANNELS[delivery], delivery=delivery)
        except SendQueueFull:
            return
        self.large = self.large or (size > 1_000 and delivery is not Delivery.RELIABLE)
        self.sent.setdefault((peer, delivery), []).append(message)

    def pairs(self) -> list[tuple[Party, EnetPeer]]:
        """Of each client that is in the host's side, as far as that is in too."""
        found = []
        for party in self.parties:
            theirs = [peer for peer in self.line.host.peers if peer.address == party.address and peer.open]
            if party.client.peer.open and theirs:
                found.append((party, theirs[-1]))
        return found

    @rule(which=st.integers(0, 1), data=st.integers(0, 9))
    def connects(self, which: int, data: int) -> None:
        client = self.parties[which].client
        if client.state in (EnetState.NEW, EnetState.CLOSED):
            client.connect(now=self.line.now, data=data)

    @rule(which=st.integers(0, 1), size=sizes, delivery=deliveries, times=st.integers(1, 30))
    def a_client_says(self, which: int, size: int, delivery: Delivery, times: int) -> None:
        for _ in range(times):
            if self.parties[which].client.peer.open:
                self.say(self.parties[which].client.peer, size, delivery)

    @rule(size=sizes, delivery=deliveries, times=st.integers(1, 30))
    def the_host_says(self, size: int, delivery: Delivery, times: int) -> None:
        for peer in self.line.host.peers:
            for _ in range(times):
                if peer.open:
                    self.say(peer, size, delivery)

    @rule(loss=st.sampled_from([0.0, 0.0, 0.2, 0.5, 1.0]), repeats=st.sampled_from([0.0, 0.3]), slow=st.booleans())
    def the_line_changes(self, loss: float, repeats: float, slow: bool) -> None:
        self.line.loss = loss
        self.line.repeats = repeats
        self.line.delay = (0.0, 0.4) if slow else (0.01, 0.01)

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.1, 1.0, 7.0]))
    def time_passes(self, seconds: float) -> None:
        self.line.run(seconds)

    @rule(which=st.integers(0, 1), how=st.sampled_from(["disconnect", "disconnect_later", "disconnect_now", "reset"]))
    def a_client_leaves(self, which: int, how: str) -> None:
        getattr(self.parties[which].client.peer, how)()

    @rule(how=st.sampled_from(["disconnect", "disconnect_later", "disconnect_now", "reset"]))
    def the_host_leaves(self, how: str) -> None:
        for peer in self.line.host.peers:
            getattr(peer, how)()

    def teardown(self) -> None:
        if not hasattr(self, "line"):
            return
        self.the_line_changes(0.0, 0.0, slow=False)
        self.line.run(45.0)
        for party in self.parties:
            assert party.client.state in (EnetState.NEW, EnetState.CONNECTED, EnetState.CLOSED)
            self.is_told_well(party.events)
        self.is_told_well(self.line.events)
        pairs = self.pairs()
        for party, peer in pairs:
            for one, other in ((party.client.peer, peer), (peer, party.client.peer)):
                # Pieces of an unreliable message that lost others wait for something newer.
                assert one.waiting_bytes == 0 or self.large
                assert one.queued_bytes <= OVERHEAD, "more than a ping"
                heard = self.heard(other, Delivery.RELIABLE)
                assert heard == self.sent.get((one, Delivery.RELIABLE), [])
        assert len(self.line.host) == len(pairs)

    def heard(self, peer: EnetPeer, delivery: Delivery) -> list[bytes]:
        events = [*self.line.events, *(event for party in self.parties for event in party.events)]
        return [
            event.data
            for event in events
            if isinstance(event, EnetMessage) and event.peer is peer and event.channel == CHANNELS[delivery]
        ]

    def is_told_well(self, events: list[Any]) -> None:
        """Connected, messages of somebody, disconnected; each once; what is in order in order."""
        began: set[EnetPeer] = set()
        over: set[EnetPeer] = set()
        for event in events:
            assert event.peer not in over
            if isinstance(event, EnetConnected):
                assert event.peer not in began
                began.add(event.peer)
            elif isinstance(event, EnetDisconnected):
                over.add(event.peer)
            else:
                assert event.peer in began
        for peer in began:
            for delivery in Delivery:
                heard = [message[:4] for message in self.heard(peer, delivery)]
                assert len(set(heard)) == len(heard)
                if delivery is not Delivery.UNSEQUENCED:
                    assert heard == sorted(heard)


TestEnetModel = Model.TestCase
TestEnetModel.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
class TestEnetModelDeep(Model.TestCase):  # type: ignore[name-defined,misc]  # Hypothesis makes it
    settings = settings(max_examples=1_000, stateful_step_count=50, deadline=None)
