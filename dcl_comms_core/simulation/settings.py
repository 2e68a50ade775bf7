"""What a ``simulator:`` string asks for: a room's name, who we are in it, and how its network behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dcl_comms_core.errors import ConnectionStringProblem, InvalidConnectionString, LocalProtocolError

__all__ = ["Faults", "Simulator", "parse_simulator"]

_FOREVER: Final = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How the simulated network behaves.  Times in seconds, chances from 0 to 1."""

    latency: float = 0.02
    """From sender to receiver."""
    jitter: float = 0.0
    """Up to this much more, by chance."""
    loss: float = 0.0
    """Chance that a lossy packet is lost."""
    duplicate: float = 0.0
    """Chance that a lossy packet comes twice."""
    reorder: float = 0.0
    """Chance that a lossy packet is held back behind later ones."""
    announce_every: float = 3.0
    """How often participants who did not make themselves known are announced, and their leaving told; 0: at once."""
    notice: float = 0.1
    """How long until a client notices that it is cut off."""
    give_up: float = 15.0
    """How long a client tries to repair its connection before it ends."""

    def __post_init__(self) -> None:
        times = (self.latency, self.jitter, self.announce_every, self.notice, self.give_up)
        chances = (self.loss, self.duplicate, self.reorder)
        if not (all(0.0 <= time < _FOREVER for time in times) and all(0.0 <= chance <= 1.0 for chance in chances)):
            msg = "Faults takes times in seconds from 0 and chances from 0 to 1"
            raise LocalProtocolError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """What a ``simulator:`` string asks for."""

    name: str
    identity: str | None
    seed: int
    faults: Faults


def parse_simulator(detail: str) -> Simulator:
    """Read ``NAME?identity=...&seed=...&latency=...`` with any field of Faults; InvalidConnectionString otherwise."""
    name, _, query = detail.partition("?")
    texts: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        key, _, text = part.partition("=")
        texts[key] = text
    unknown = texts.keys() - _FAULT_NAMES - {"identity", "seed"}
    if unknown:
        raise InvalidConnectionString(ConnectionStringProblem.BAD_URL, "a simulator takes identity, seed and Faults")
    identity = texts.pop("identity", "") or None
    try:
        seed = int(texts.pop("seed", "0"))
        faults = Faults(**{key: float(text) for key, text in texts.items()})
    except (ValueError, LocalProtocolError):
        detail = "a simulator's options are numbers: times in seconds from 0, chances from 0 to 1"
    else:
        return Simulator(name=name or "memory", identity=identity, seed=seed, faults=faults)
    raise InvalidConnectionString(ConnectionStringProblem.BAD_URL, detail)


_FAULT_NAMES: Final = frozenset(Faults.__slots__)
