"""A whole realm in this process, on loopback; needs the extra ``realm``.

On asyncio::

    async with EmbeddedRealm() as realm:
        async with connect(realm.url, wallet=DisposableWallet()) as room: ...

Anywhere else (trio, a plain loop, tests without a loop), in a thread of its own::

    with realm_in_thread() as realm:
        ...  # realm.url

Islands come from Pulse, as in Genesis City, and ``/about`` says where that is; ``islands="heartbeats"``: the older way.
Rooms are LiveKit's, of a server of our own, where ``dcl_comms_rtc`` is installed, else ws-rooms.  ``livekit=False``:
ws-rooms; ``livekit=True`` starts a private livekit-server for this realm, which has sound and pictures too;
``livekit=server`` uses one that runs.  What servers do to clients can be provoked: ``realm.ban(address)`` and the
other verbs of :class:`Controls`, ``restart()``, ``down()`` and ``up()``.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from abc import ABC, abstractmethod
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Literal, Self, TypeVar

from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.limits import DEFAULT_LIMITS
from dcl_comms_core.servers.realm import RealmRules, RealmServer, RealmSettings
from dcl_comms_drivers.gate import Gate
from dcl_comms_drivers.realm.livekit_binary import ServerProblem, ServerUnavailable
from dcl_comms_drivers.realm.livekit_server import LiveKitServer
from dcl_comms_drivers.realm.profiles import RealmProfiles
from dcl_comms_drivers.realm.rooms import RoomHost, has_rooms
from dcl_comms_drivers.realm.udp import UdpHost
from dcl_comms_drivers.realm.web import HOST, Web
from dcl_comms_drivers.wallet.wallets import verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
    from types import TracebackType

    from dcl_comms_core.limits import Limits
    from dcl_comms_core.servers.pulse import PulsePlayer

__all__ = ["Controls", "EmbeddedRealm", "RealmInThread", "RealmSettings", "realm_in_thread"]

_T = TypeVar("_T")
_MAKING_SECONDS = 60.0
_GLANCE_SECONDS = 0.5


class Controls(ABC):
    """What a test can do to a realm.  Addresses in any letter case; everything takes effect at once."""

    url: str = ""
    """``http://127.0.0.1:PORT``: give it to ``connect``."""
    pulse_at: str | None = None
    """``127.0.0.1:PORT`` of its Pulse, which ``/about`` names; None: islands are formed from heartbeats."""
    livekit: LiveKitServer | RoomHost | None = None
    """The server of its LiveKit rooms, which may be killed and restarted; None: rooms are ws-rooms."""

    @abstractmethod
    def do(self, action: Callable[[RealmServer, float], _T]) -> _T:
        """Call it where the realm lives, with its time."""

    @property
    def scene_adapter_url(self) -> str:
        """What stands for comms-gatekeeper's ``/get-scene-adapter`` here."""
        return f"{self.url}/get-scene-adapter"

    def ban(self, address: str) -> None:
        """Throw somebody out of everything, LiveKit's rooms too, and don't let it in again."""

        def act(server: RealmServer, now: float) -> None:
            server.rules.banned.add(address.lower())
            server.kick(address, now=now)

        self.do(act)
        self.leave_livekit(address.lower())

    def unban(self, address: str) -> None:
        """Let somebody in again."""
        self.do(lambda server, _: server.rules.banned.discard(address.lower()))

    def deny(self, address: str) -> None:
        """Put somebody on the deny-list, which is looked at only when it asks for something."""
        self.do(lambda server, _: server.rules.denied.add(address.lower()))

    def allow(self, address: str) -> None:
        """Take somebody off the deny-list."""
        self.do(lambda server, _: server.rules.denied.discard(address.lower()))

    def kick(self, address: str) -> bool:
        """Throw somebody out of the island service, of Pulse and of ws-rooms; False: it is nowhere."""
        return self.do(lambda server, now: server.kick(address, now=now))

    def throttle(self, times: int = 1, *, retry_after: float = 60.0) -> None:
        """Answer the next signed requests with 429; ``retry_after`` is whole seconds."""

        def act(server: RealmServer, _: float) -> None:
            server.rules.throttled, server.rules.retry_after = times, retry_after

        self.do(act)

    def set_full(self, full: bool = True) -> None:  # noqa: FBT001, FBT002 - set_full() reads well
        """Let nobody else into worlds and ws-rooms."""
        self.do(lambda server, _: setattr(server.rules, "full", full))

    def set_secret(self, world: str, secret: str | None) -> None:
        """Have a world's password asked for at its door, or at None no longer; who is in stays in."""

        def act(server: RealmServer, _: float) -> None:
            secrets_of = server.rules.secrets
            secrets_of.pop(world.lower(), None)
            if secret is not None:
                secrets_of[world.lower()] = secret

        self.do(act)

    def set_healthy(self, healthy: bool) -> None:  # noqa: FBT001 - the name says what it is
        """Say in ``/about`` how it is; with 503 where that is not well."""
        self.do(lambda server, _: setattr(server.rules, "healthy", healthy))

    def set_profile(self, address: str, name: str, *, version: int = 1, **fields: object) -> None:
        """Serve a profile at ``/lambdas/profiles``; ``fields`` are the avatar's."""
        avatar = {
            "userId": address.lower(),
            "ethAddress": address.lower(),
            "name": name,
            "version": version,
            "hasClaimedName": False,
            **fields,
        }
        profile: dict[str, object] = {"timestamp": 0, "avatars": [avatar]}
        self.do(lambda server, _: server.rules.profiles.update({address.lower(): profile}))

    @property
    def profiles(self) -> RealmProfiles:
        """What its lambdas give: ``realm.profiles[address] = Avatar(name="Ada")``."""
        return RealmProfiles(self.do)

    @property
    def peers(self) -> frozenset[str]:
        """Who has a session with the island service: addresses in lower case."""
        return self.do(lambda server, _: frozenset(server.archipelago.peers))

    @property
    def islands(self) -> dict[str, frozenset[str]]:
        """Who is on which island."""
        return self.do(lambda server, _: server.islands())

    @property
    def players(self) -> tuple[PulsePlayer, ...]:
        """Who is on Pulse, listeners to scenes too; nobody, where islands are formed from heartbeats."""
        return self.do(lambda server, _: () if server.pulse is None else server.pulse.players())

    @property
    def counters(self) -> Mapping[str, int]:
        """How often, since the last restart: see ``RealmServer.counters``; of all services together."""
        return self.do(lambda server, _: server.counters)

    @property
    @abstractmethod
    def dropped(self) -> int:
        """How many messages were not sent, since the last restart, to clients that did not read."""

    def leave_livekit(self, address: str) -> None:
        """Remove somebody from LiveKit's rooms; blocks."""
        server = self.livekit
        if server is not None:
            # It may be down: then nobody is in it.
            with contextlib.suppress(ServerUnavailable):
                for room in server.list_rooms():
                    if address in server.list_participants(room):
                        server.remove_participant(room, address)


class EmbeddedRealm(Controls):
    """A realm on the running asyncio loop, for the length of an ``async with`` block.

    ``port`` 0: any that is free.  It answers who asks for 127.0.0.1, localhost or [::1] at that port, and pages of this
    machine; ``hosts`` and ``origins`` are further ones (see ``gate.py``), everybody else gets 403.  ``livekit``
    None: rooms of our own server's where there can be some, else ws-rooms.  ``build`` with ``livekit=True``: a
    livekit-server that is nowhere is downloaded and compiled, once, for minutes.  ``islands`` is
    that of the settings, said more shortly.

    Entering raises ServerUnavailable (``livekit=True`` and no livekit-server) or OSError (the port is taken).  A
    livekit-server that ends by itself is noticed: the next verb raises ServerUnavailable (ENDED), or the end of the
    block.
    """

    def __init__(
        self,
        *,
        livekit: LiveKitServer | RoomHost | bool | None = None,
        build: bool = False,
        port: int = 0,
        hosts: Iterable[str] = (),
        origins: Iterable[str] = (),
        islands: Literal["pulse", "heartbeats"] | None = None,
        settings: RealmSettings | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._make: Callable[[], LiveKitServer | RoomHost] | None = None
        """Starts the server of its LiveKit rooms; None: there is none, or it is not for us to start."""
        if livekit is True:
            self._make = partial(LiveKitServer.start, build=build)
        elif livekit is None and has_rooms():
            self._make = partial(RoomHost.start, limits=limits)
        self.livekit = livekit if isinstance(livekit, LiveKitServer | RoomHost) else None
        self._port = port
        self._gate = Gate(hosts=hosts, origins=origins)
        settings = RealmSettings() if settings is None else settings
        self._settings = settings if islands is None else replace(settings, islands=islands)
        self._limits = limits
        self._rules = RealmRules()
        self._web: Web | None = None
        self._server: RealmServer | None = None
        """Who decides, while there is a web."""
        self._udp: UdpHost | None = None
        self._pulse_port = 0
        self._crash: Exception | None = None
        self._glance: asyncio.TimerHandle | None = None
        self._lost = False

    async def __aenter__(self) -> Self:
        if self._make is not None:
            self.livekit = await asyncio.to_thread(self._make)
        try:
            await self.up()
        except BaseException:
            await self._stop_livekit()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
        await self._stop_livekit()
        self._raise_crash()

    def __repr__(self) -> str:
        return f"<EmbeddedRealm {self.url or 'down'}>"

    async def up(self) -> None:
        """Listen again, at the same URL, with nobody in it.  Bans and profiles are as before."""
        if self._web is not None:
            return
        web = Web(self._limits, self._gate, self._crashed)
        await web.bind(self._port)
        self._port = web.port
        self.url = f"http://{HOST}:{web.port}"
        udp = UdpHost(self._limits, self._crashed, web.turn) if self._settings.islands == "pulse" else None
        if udp is not None:
            try:
                udp.bind(HOST, self._pulse_port)
            except OSError:
                await web.stop()
                raise
            self._pulse_port = udp.port
            self.pulse_at = f"{HOST}:{udp.port}"
        server = RealmServer(
            self.url,
            verifier=verifier(),
            mint=None if self.livekit is None else self._mint,
            settings=self._settings,
            rules=self._rules,
            pulse_at=self.pulse_at,
            limits=self._limits,
            entropy=secrets.randbits(64),
        )
        await web.serve(server)
        if udp is not None and server.pulse is not None:
            udp.serve(server.pulse)
        self._web, self._udp, self._server = web, udp, server
        self._look_at_livekit()

    async def down(self) -> None:
        """Hang up on everybody and listen no more, as a server that crashed; livekit-server goes on."""
        web, self._web = self._web, None
        self._server = None
        udp, self._udp = self._udp, None
        if udp is not None:
            udp.stop()
        if self._glance is not None:
            self._glance.cancel()
            self._glance = None
            self._notice_loss()
        if web is not None:
            await web.stop()

    async def stop(self) -> None:
        """As ``down()``, but whoever is on Pulse is told that the server ends.  The end of the block does so."""
        server, udp = self._server, self._udp
        if server is not None and udp is not None and server.pulse is not None:
            server.pulse.close(now=udp.now())
            udp.turn()
        await self.down()

    async def restart(self) -> None:
        """``down()`` and ``up()``: islands are counted from 1 again."""
        await self.down()
        await self.up()

    @property
    def dropped(self) -> int:
        """How many messages were not sent, since the last restart, to clients that did not read."""
        return 0 if self._web is None else self._web.dropped

    def do(self, action: Callable[[RealmServer, float], _T]) -> _T:
        """Do something with the realm's server, now; what it returns."""
        self._notice_loss()
        self._raise_crash()
        web, server = self._web, self._server
        if web is None or server is None:
            raise LocalProtocolError("the realm is down: up() first")
        result = action(server, web.now())
        # Where there is Pulse its turn makes one of the others too.
        (web if self._udp is None else self._udp).turn()
        return result

    def leave_livekit(self, address: str) -> None:
        """Have livekit-server end somebody's session."""
        if self.livekit is not None:
            # It asks another process, and the loop has a realm to serve.
            job = asyncio.get_running_loop().run_in_executor(None, super().leave_livekit, address)
            job.add_done_callback(self._left_livekit)

    def _left_livekit(self, job: asyncio.Future[None]) -> None:
        error = None if job.cancelled() else job.exception()
        if isinstance(error, Exception):
            self._crashed(error)

    def _mint(self, room: str, address: str) -> str:
        assert self.livekit is not None  # noqa: S101 - it is asked for only then
        return self.livekit.connection_string(address, room, canPublishSources=["microphone"], roomList=False)

    async def _stop_livekit(self) -> None:
        if self._make is not None and self.livekit is not None:
            await asyncio.to_thread(self.livekit.stop)

    def _notice_loss(self) -> None:
        was_lost, self._lost = self._lost, self.livekit is not None and self.livekit.lost
        if self._lost and not was_lost:
            self._crashed(ServerUnavailable(ServerProblem.ENDED, "its rooms are gone; restart() starts it again"))

    def _look_at_livekit(self) -> None:
        self._notice_loss()
        self._glance = asyncio.get_running_loop().call_later(_GLANCE_SECONDS, self._look_at_livekit)

    def _crashed(self, error: Exception) -> None:
        self._crash = self._crash or error

    def _raise_crash(self) -> None:
        crash, self._crash = self._crash, None
        if crash is not None:
            raise crash


class RealmInThread(Controls):
    """A realm on an asyncio loop in a thread of its own; made by :func:`realm_in_thread`.  Its verbs wait."""

    def __init__(self, realm: EmbeddedRealm, loop: asyncio.AbstractEventLoop) -> None:
        self._realm = realm
        self._loop = loop
        self.url = realm.url
        self.pulse_at = realm.pulse_at
        self.livekit = realm.livekit

    def up(self) -> None:
        """Listen again, at the same URL, with nobody in it.  Bans and profiles are as before."""
        self._wait(self._realm.up())

    def down(self) -> None:
        """Hang up on everybody and listen no more, as a server that crashed; livekit-server goes on."""
        self._wait(self._realm.down())

    def restart(self) -> None:
        """``down()`` and ``up()``: islands are counted from 1 again."""
        self._wait(self._realm.restart())

    @property
    def dropped(self) -> int:
        """How many messages were not sent, since the last restart, to clients that did not read."""
        return self._realm.dropped

    def do(self, action: Callable[[RealmServer, float], _T]) -> _T:
        """Do something with the realm's server, now; what it returns."""

        async def act() -> _T:
            return self._realm.do(action)

        return self._wait(act())

    def _wait(self, job: Coroutine[object, object, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(job, self._loop).result(_MAKING_SECONDS)


@contextlib.contextmanager
def realm_in_thread(
    *,
    livekit: LiveKitServer | RoomHost | bool | None = None,
    build: bool = False,
    port: int = 0,
    hosts: Iterable[str] = (),
    origins: Iterable[str] = (),
    islands: Literal["pulse", "heartbeats"] | None = None,
    settings: RealmSettings | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Generator[RealmInThread]:
    """Run a realm for the length of a ``with`` block; the arguments are EmbeddedRealm's.  Blocks while it starts."""
    realm = EmbeddedRealm(
        livekit=livekit,
        build=build,
        port=port,
        hosts=hosts,
        origins=origins,
        islands=islands,
        settings=settings,
        limits=limits,
    )
    ready = threading.Event()
    failure: list[BaseException] = []
    handles: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def live() -> None:
        over = asyncio.Event()
        async with realm:
            handles.append((asyncio.get_running_loop(), over))
            ready.set()
            await over.wait()

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:  # noqa: BLE001 - raised to who waits for the thread
            failure.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="dcl-comms realm", daemon=True)
    thread.start()
    ready.wait()
    if not handles:
        thread.join()
        raise failure[0]
    loop, over = handles[0]
    try:
        yield RealmInThread(realm, loop)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
    if failure:
        raise failure[0]
