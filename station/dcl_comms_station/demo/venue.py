"""Where the demo plays: in an embedded realm, whose rooms are LiveKit's or its own, or in memory."""

from __future__ import annotations

import secrets
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Final

from dcl_comms_core import Subscribe
from dcl_comms_station.demo.script import CAST

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from contextlib import AbstractContextManager

    from dcl_comms_drivers.settings import Settings

__all__ = ["Ticket", "Venue", "find_venue", "memory_venue"]


_NET: Final = ("dcl_comms_drivers.net.link", "dcl_comms_drivers.loops.on_asyncio", "dcl_comms_drivers.loops.on_trio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What one player gives to ``connect``."""

    target: str
    identity: str
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """Where they meet, and what there is."""

    news: tuple[str, ...]
    """What to tell about it."""
    tickets: Mapping[str, Ticket]
    """By the names of the roles."""
    islands: bool
    whispers: bool
    sound: bool


def memory_venue() -> Venue:
    """The in-memory room."""
    room = f"demo-{secrets.token_hex(4)}"
    tickets: dict[str, Ticket] = {}
    for role in CAST:
        # A wallet address of nobody, as identities of players look.
        identity = f"0x{secrets.token_hex(20)}"
        tickets[role.name] = Ticket(target=f"simulator:{room}?identity={identity}", identity=identity, settings={})
    news = "Over the in-memory room, as asked.", "There is no sound in memory: the tone is left out."
    return Venue(news=news, tickets=tickets, islands=False, whispers=True, sound=False)


@contextmanager
def find_venue(*, memory: bool, build: bool = False) -> Generator[Venue]:
    """A realm for the length of the block; stderr says so if there are no LiveKit rooms.  ``memory``: no realm.

    A livekit-server that is there already is taken, since it carries sound; else our own, where ``dcl_comms_rtc`` is
    installed.  ``build``: where there is neither, a livekit-server is built.

    ModuleNotFoundError: the extras ``realm``, ``net`` and ``wallet`` are not all installed.  EngineUnavailable: there
    is a livekit-server, and no client for it.
    """
    if memory:
        yield memory_venue()
        return
    from dcl_comms_drivers.realm.embedded import RealmSettings, realm_in_thread  # noqa: PLC0415 - the extras
    from dcl_comms_drivers.realm.rooms import RoomHost  # noqa: PLC0415
    from dcl_comms_drivers.wallet import DisposableWallet  # noqa: PLC0415

    from dcl_comms_station.hosting import find_rooms, in_words  # noqa: PLC0415

    server = find_rooms(media=None, build=build)
    sound = server is not None and not isinstance(server, RoomHost)
    # Before there are three threads that want them at once, in which not every importer is safe (pytest's is not).
    for name in _NET:
        import_module(name)
    if server is not None:
        import_module(f"dcl_comms_drivers.livekit.{'engine' if sound else 'rtc'}.link")
    # The real service's second between two looks at who is where, three times for another island, shows nothing.
    settings = RealmSettings(pulse=replace(RealmSettings().pulse, pass_seconds=0.2))
    holder: AbstractContextManager[object] = nullcontext() if server is None else server
    with holder, realm_in_thread(livekit=server or False, settings=settings) as realm:
        tickets: dict[str, Ticket] = {}
        for role in CAST:
            wallet = DisposableWallet()
            east, north = role.start or role.centre
            options: Settings = {"wallet": wallet, "position": (east, 0.0, north)}
            if not sound:
                options["subscribe"] = Subscribe.NONE
            tickets[role.name] = Ticket(target=realm.url, identity=wallet.address, settings=options)
        news = [
            f"Over a private realm at {realm.url}; its rooms are {in_words(server)}.",
            f"Its Pulse is at {realm.pulse_at}: it tells who is where and forms the islands, in whose rooms one talks.",
        ]
        if server is None:
            news.append(
                "A ws-room carries no sound and gives everything to everybody: the tone and the whispers are left out."
            )
        elif not sound:
            news.append("Our own server carries packets: the tone, which wants a livekit-server, is left out.")
        yield Venue(news=tuple(news), tickets=tickets, islands=True, whispers=server is not None, sound=sound)
