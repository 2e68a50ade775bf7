"""The Station's own realm, with bots that live in it, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, cast

from dcl_comms_drivers.realm.embedded import EmbeddedRealm

from dcl_comms_station.exits import Exit, Failed
from dcl_comms_station.hosting import find_rooms
from dcl_comms_station.residents.village import village

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dcl_comms_drivers.realm.livekit_server import LiveKitServer
    from dcl_comms_drivers.realm.rooms import RoomHost

__all__ = ["OwnRealm"]

_END_SECONDS = 10.0


class OwnRealm:
    """``start()`` it, and ``stop()`` it; what keeps it from starting is raised."""

    def __init__(self, bots: int, *, media: bool = False) -> None:
        self.bots = bots
        self.media = media
        """Whether its rooms are those of a livekit-server, which have sound and pictures."""
        self.url = ""
        self.names: dict[str, tuple[str, str]] = {}
        """By address, what its bots are called, and that they are bots."""
        self._livekit: LiveKitServer | RoomHost | None = None
        self._has_livekit = False
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="dcl-comms realm", daemon=True)

    @property
    def told(self) -> Mapping[str, Any]:
        """As pages are told of it."""
        return {
            "name": "a realm on this machine",
            "url": self.url,
            "bots": self.bots,
            "livekit": self._has_livekit,
            "media": self.media,
        }

    def start(self) -> None:
        """Have it up.  Failed: it can't be; ``media``, and there is no livekit-server."""
        if self.media:
            self._livekit = find_rooms(livekit=True, media=True)
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._leave_rooms()
            raise self._error

    def stop(self) -> None:
        """End it."""
        loop, over = self._loop, self._over
        if loop is not None and over is not None and not loop.is_closed():
            loop.call_soon_threadsafe(over.set)
        self._thread.join(_END_SECONDS)
        self._leave_rooms()

    def _leave_rooms(self) -> None:
        livekit, self._livekit = self._livekit, None
        if livekit is not None:
            livekit.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._error = Failed(Exit.NETWORK, f"a realm on this machine: {error.strerror}")
        except BaseException as error:  # noqa: BLE001 - raised where it was started
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with EmbeddedRealm(livekit=self._livekit) as realm, village(realm, self.bots, sounds=self.media):
            self.url, self._has_livekit = realm.url, realm.livekit is not None
            for address, profile in realm.profiles.items():
                self.names[str(address)] = _name_in(cast("dict[str, Any]", profile)), "bot"
            self._ready.set()
            await self._over.wait()


def _name_in(profile: dict[str, Any]) -> str:
    return str(profile["avatars"][0]["name"])
