"""The bots of a realm together: who they are, where they live, how they end."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from dcl_comms_drivers.livekit.choice import RoomEngine
from dcl_comms_drivers.wallet import DisposableWallet

from dcl_comms_core.avatars.avatar import Avatar
from dcl_comms_core.peers import PeerId
from dcl_comms_station.residents.humming import hums
from dcl_comms_station.residents.lively import Company, lively_bot
from dcl_comms_station.terminal import complain

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from dcl_comms_bot import Bot
    from dcl_comms_drivers.realm.embedded import EmbeddedRealm

__all__ = ["live", "names", "village"]

_NAMES: Final = ("Ada", "Bo", "Cy", "Dot", "Eli", "Fay", "Gus", "Hal", "Ivy", "Jo")
_APART: Final = 6.0
"""Metres between two homes, in rows of ten from the origin on."""


def names(count: int) -> list[str]:
    """So many names, all different."""
    return [
        _NAMES[number % len(_NAMES)] + ("" if number < len(_NAMES) else str(number // len(_NAMES) + 1))
        for number in range(count)
    ]


@asynccontextmanager
async def village(realm: EmbeddedRealm, count: int, *, sounds: bool = False) -> AsyncGenerator[list[str]]:
    """So many bots in a realm that is up, on its loop, for the length of the block; their names.

    ``sounds``: the first of them hums, over the livekit package's engine.
    One that fails is told of, and ends nothing else.
    """
    company, jobs = Company(), list[asyncio.Task[None]]()
    called = names(count)
    try:
        for number, name in enumerate(called):
            wallet = DisposableWallet()
            company.bots.add(PeerId(wallet.address))
            avatar = Avatar(name=name, body=("female", "male")[number % 2])
            realm.profiles[wallet.address] = avatar
            row, place = divmod(number, len(_NAMES))
            home = (_APART * place, _APART * row)
            bot = lively_bot(name, home, company, random.Random())  # noqa: S311 - a walk is no secret
            engine = RoomEngine.LIVEKIT if sounds and number == 0 else None
            if engine is not None:
                hums(bot)
            jobs.append(asyncio.create_task(live(bot, name, realm.url, home, wallet, avatar, engine=engine)))
        yield called
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


async def live(
    bot: Bot[None],
    name: str,
    url: str,
    home: tuple[float, float],
    wallet: DisposableWallet,
    avatar: Avatar,
    *,
    engine: RoomEngine | None = None,
) -> None:
    """The life of one, at home so many metres east and north, until it is cancelled; what else ends it is told of.

    ``engine``: as of ``connect``.
    """
    place = (home[0], 0.0, home[1])

    @bot.on_error
    async def tell(_ctx: object, error: Exception) -> None:
        complain(f"the bot {name}: {error}")

    try:
        await bot.start(url, wallet=wallet, profile=avatar, position=place, subscribe="none", engine=engine)
    except Exception as error:  # noqa: BLE001 - whatever it is, the realm and the others go on
        complain(f"the bot {name} has ended: {error}")
