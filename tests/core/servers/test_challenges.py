"""The handshake from its other end, without a server around it: who is asked what, and who gets in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rigs.core.chains import NOW, OTHER, ROOT, VERIFIER, identity

from dcl_comms_core import ClockSet, CloseSocket, FrameReceived, Limits, LinkRef, LocalProtocolError, SendFrame, Stage
from dcl_comms_core.servers.challenges import Challenges
from dcl_comms_core.servers.sockets import Client, Sockets

LINK = LinkRef(1, 1)
ME = ROOT.address.lower()


class Bench:
    """One client whose link is open, and who was welcomed."""

    def __init__(self, *, connected: str = "", denied: str = "", entropy: int = 0, clock: bool = True) -> None:
        self._clients: list[Client] = []
        self.welcomed: list[str] = []
        self.sockets = Sockets(
            on_frame=lambda client, _data: self._clients.append(client),
            left=lambda _client: None,
            stage_seconds=10.0,
            limits=Limits(),
        )
        self.challenges = Challenges(
            self.sockets,
            frame=lambda challenge, already: f"{challenge} {already}".encode(),
            known=lambda _client, address: address == connected,
            welcome=lambda client: self.welcomed.append(client.address),
            denied=lambda address: address == denied,
            verifier=VERIFIER,
            limits=Limits(),
            entropy=entropy,
        )
        if clock:
            self.sockets.receive(ClockSet(unix_offset=NOW), now=0.0)
        self.sockets.accept(LINK, "", 0.0)
        self.sockets.receive(FrameReceived(link=LINK, data=b"x"), now=0.0)
        (self.client,) = self._clients

    def asked(self, address: str = ROOT.address) -> str:
        """It says who it is; gives the frame with the challenge."""
        self.challenges.identified(self.client, address)
        (command,) = self.sockets.take_commands()
        assert isinstance(command, SendFrame)
        return command.data.decode()

    def prove(self, payload: str = "", **who: Any) -> None:
        chain = identity(**who).sign(payload or self.client.challenge)
        self.challenges.proved(self.client, chain.to_json())

    def refused(self) -> str:
        """Why it was hung up on, without a word."""
        assert self.sockets.take_commands() == [CloseSocket(link=LINK)]
        (why,) = (name for name in self.sockets.counters if name.startswith("refused."))
        return why.removeprefix("refused.")


@pytest.mark.parametrize(("connected", "already"), [("", "False"), (ME, "True"), (OTHER.address.lower(), "False")])
def test_a_client_is_given_a_challenge_and_told_whether_its_wallet_is_there(connected: str, already: str) -> None:
    bench = Bench(connected=connected)
    challenge, told = bench.asked().split()
    assert re.fullmatch(r"dcl-0\.[0-9a-z]{11}", challenge)
    assert (bench.client.challenge, bench.client.stage, told) == (challenge, Stage.PROVING, already)


def test_challenges_differ_by_the_seed_alone() -> None:
    assert Bench().asked() == Bench().asked() != Bench(entropy=1).asked()


def test_a_client_that_signed_its_challenge_is_welcomed_as_who_signed() -> None:
    bench = Bench()
    bench.asked(OTHER.address)
    bench.prove()
    assert (bench.welcomed, bench.sockets.take_commands()) == ([ME], [])


@pytest.mark.parametrize("address", ["", "me", ME[:-1], ME + "0", ME + "\n"])
def test_an_address_that_is_none(address: str) -> None:
    bench = Bench()
    bench.challenges.identified(bench.client, address)
    assert bench.refused() == "address"


@pytest.mark.parametrize("wrong", [{"payload": "another"}, {"expires": NOW - 1.0}])
def test_a_chain_that_proves_nothing(wrong: dict[str, Any]) -> None:
    bench = Bench()
    bench.asked()
    bench.prove(**wrong)
    assert (bench.refused(), bench.welcomed) == ("chain", [])


@pytest.mark.parametrize(("now", "welcomed"), [(4.0, [ME]), (6.0, [])])
def test_a_chain_is_good_up_to_the_time_that_it_names(now: float, welcomed: list[str]) -> None:
    bench = Bench()
    bench.asked()
    bench.sockets.handle_timeout(now)
    bench.prove(expires=NOW + 5.0)
    assert bench.welcomed == welcomed


def test_who_is_denied_is_hung_up_on_once_it_proved_who_it_is() -> None:
    bench = Bench(denied=ME)
    bench.asked()
    bench.prove()
    assert (bench.refused(), bench.welcomed) == ("denied", [])


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.IDENTIFYING])
def test_who_it_is_is_said_at_the_beginning(stage: Stage) -> None:
    bench = Bench()
    bench.client.stage = stage
    bench.challenges.identified(bench.client, ME)
    assert bench.refused() == "stage"


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.PROVING])
def test_a_proof_is_given_when_it_was_asked_for(stage: Stage) -> None:
    bench = Bench()
    bench.client.stage = stage
    bench.prove("anything")
    assert (bench.refused(), bench.welcomed) == ("stage", [])


def test_without_a_wall_clock_no_chain_can_be_judged() -> None:
    bench = Bench(clock=False)
    bench.asked()
    with pytest.raises(LocalProtocolError, match="needs the wall clock"):
        bench.prove()
