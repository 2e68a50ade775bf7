"""run_bot: a bot's whole life on a virtual clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.testing.stage import Stage
from dcl_comms_core.testing.world_stage import WorldStage
from dcl_comms_drivers.testing import on_asyncio
from dcl_comms_drivers.testing.clocks import watched_clocks
from dcl_comms_drivers.testing.play import Bot, Play, Transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dcl_comms_core.livekit.webrtc import NewPeer
    from dcl_comms_core.simulation.settings import Faults
    from dcl_comms_core.testing.script import Action
    from dcl_comms_drivers.settings import Settings
    from dcl_comms_drivers.testing.play import AnyStage


__all__ = ["run_bot"]


def run_bot(  # noqa: PLR0913 - what may be told, each by its name
    bot: Bot,
    *,
    seed: int = 0,
    script: Iterable[Action] = (),
    backend: Literal["asyncio", "trio"] = "asyncio",
    faults: Faults | None = None,
    seconds: float = 60.0,
    identity: str = "bot",
    settings: Settings | None = None,
    peers: Mapping[str, Bot] | None = None,
    world: bool = False,
    new_peer: NewPeer | None = None,
) -> Transcript:
    """Run a bot to its end, at most ``seconds`` of virtual time.

    ``bot`` gets a Connection and may use its loop's own sleeping and waiting.  ``settings``: as for ``connect``.
    ``peers``: others that are programs like it, by their identities, on the same clock; the bot's end is theirs.
    ``world``: in a whole deployment instead of a memory room: a realm, Pulse, islands, LiveKit rooms, and the network
    between them.  Identities are names of wallets there (``dcl_comms_core.testing.wallet_of``).  ``new_peer``:
    makes its WebRTC peers, ``dcl_comms_rtc.Peer`` for the real engine's, with which no two runs are the same.
    What the bot and the peers raise comes out, except the ConnectionLost of a room that ended.  LocalProtocolError: the
    bot never waits, or goes on although it was cancelled.  A ClockWarning says where it asked for the machine's time.
    """
    if backend not in _BACKENDS:
        msg = f"run_bot runs on {' and '.join(_BACKENDS)}, not on {backend!r}"
        raise LocalProtocolError(msg)
    if new_peer is not None and not world:
        msg = "new_peer= is for a world, whose rooms are LiveKit's: world=True"
        raise LocalProtocolError(msg)
    stage: AnyStage
    if world:
        stage = WorldStage(script, seed=seed, faults=faults, identity=identity, new_peer=new_peer)
    else:
        stage = Stage(script, seed=seed, faults=faults, identity=identity)
    play = Play(
        bot, stage, identity=identity, seconds=seconds, settings=settings or {}, seed=seed, peers=peers or {}
    )  # fmt: skip
    try:
        with watched_clocks(bot, *(peers or {}).values()):
            _BACKENDS[backend](play)
        play.check_peers()
    except BaseException as error:
        if play.failure is not None:
            raise play.failure from None
        error.add_note(f"after {play.stage.clock.now:.4f} virtual seconds, seed {seed}")
        raise
    if play.failure is not None:
        raise play.failure
    play.transcript.heard |= {who: party.events for who, party in play.stage.peers.items()}
    return play.transcript


def _on_trio(play: Play) -> None:
    from dcl_comms_drivers.testing import on_trio  # noqa: PLC0415 - trio, only where it is asked for

    on_trio.perform(play)


_BACKENDS: Final[dict[str, Callable[[Play], None]]] = {"asyncio": on_asyncio.perform, "trio": _on_trio}
