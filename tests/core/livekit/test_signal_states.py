"""Every row of the table of a SignalSession is taken, and a silent server is left in every state that waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rigs.signals.session import LINK, SignalRig

from dcl_comms_core.commands import CloseLink, Fetch, OpenSocket
from dcl_comms_core.inputs import FetchFailed, LinkClosed, LinkFailed
from dcl_comms_core.proto import livekit
from dcl_comms_core.states import CloseReason, Timer
from dcl_comms_core.states.livekit import SIGNAL_TRANSITIONS, SIGNAL_WAITS, SignalState, SignalTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

S = SignalState
T = SignalTrigger


def new() -> SignalRig:
    return SignalRig()


def dialing() -> SignalRig:
    return new().begin()


def asking() -> SignalRig:
    return dialing().hang_up(status=401)


def joining() -> SignalRig:
    return dialing().connect()


def connecting() -> SignalRig:
    return joining().join().answer().ports()


def opened() -> SignalRig:
    return new().opened()


def resuming() -> SignalRig:
    return opened().hang_up()


def leaving() -> SignalRig:
    return opened().send(1).do(CloseLink(link=LINK, drain=1.0))


def closed() -> SignalRig:
    return new().do(CloseLink(link=LINK))


AT: dict[SignalState, Callable[[], SignalRig]] = {
    S.NEW: new,
    S.DIALING: dialing,
    S.ASKING: asking,
    S.JOINING: joining,
    S.CONNECTING: connecting,
    S.OPEN: opened,
    S.RESUMING: resuming,
    S.LEAVING: leaving,
    S.CLOSED: closed,
}


def resumed(rig: SignalRig) -> None:
    rig.pass_time(rig.session.timers[Timer.RETRY] - rig.now).connect()
    rig.say(reconnect=livekit.ReconnectResponse()).answer(2).happen(("ice-checking",), ("ice-completed",))


def over(rig: SignalRig) -> None:
    rig.session.abandon(now=rig.now)
    rig.turn()


MOVES: dict[SignalTrigger, Callable[[SignalRig], object]] = {
    T.OPEN: SignalRig.begin,
    T.AGAIN: lambda rig: (
        rig.hang_up(status=404) if rig.state is S.DIALING else rig.join(alternative_url="wss://other.example.com")
    ),
    T.REFUSED: lambda rig: rig.hang_up(status=401),
    T.SOCKET: SignalRig.connect,
    T.JOINED: SignalRig.join,
    T.CHANNELS: lambda rig: rig.happen(*rig.UP),
    T.LOST: SignalRig.hang_up,
    T.RESUMED: resumed,
    T.LEAVE: lambda rig: rig.send(1).do(CloseLink(link=LINK, drain=1.0)),
    T.ENDED: over,
}


@pytest.mark.parametrize(("state", "trigger"), SIGNAL_TRANSITIONS)
def test_every_row_is_taken(state: SignalState, trigger: SignalTrigger) -> None:
    rig = AT[state]()
    assert rig.state is state
    rig.take(OpenSocket)
    MOVES[trigger](rig)
    assert rig.state is SIGNAL_TRANSITIONS[state, trigger]
    if trigger is T.AGAIN:
        assert rig.take(OpenSocket)


@pytest.mark.parametrize("state", [state for state, bound in SIGNAL_WAITS.items() if isinstance(bound, tuple)])
def test_who_hears_nothing_more_leaves_every_state_that_waits(state: SignalState) -> None:
    rig = AT[state]()
    rig.states.clear()
    rig.pass_time(300.0)
    assert rig.state is S.CLOSED
    assert len(rig.told(LinkClosed)) + len(rig.told(LinkFailed)) == 1


@pytest.mark.parametrize("state", [S.DIALING, S.ASKING])
def test_those_that_the_room_bounds_are_left_by_its_word_and_by_the_networks(state: SignalState) -> None:
    rig = AT[state]()
    if state is S.DIALING:
        rig.hang_up(reason=CloseReason.UNREACHABLE)
    else:
        (fetch,) = rig.take(Fetch)
        rig.give(FetchFailed(link=fetch.link, reason=CloseReason.TIMEOUT))
    assert len(rig.told(LinkFailed)) == 1
    assert AT[state]().do(CloseLink(link=LINK)).state is S.CLOSED
