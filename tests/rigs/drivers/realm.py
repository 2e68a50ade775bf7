"""Visitors of an embedded realm: the core's own sessions over NetLink, on asyncio and on trio."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import trio
from dcl_comms_drivers.loops.on_asyncio import AsyncioHost
from dcl_comms_drivers.loops.on_trio import TrioHost
from dcl_comms_drivers.net.link import NetLink
from dcl_comms_drivers.realm.embedded import RealmSettings, realm_in_thread
from rigs.core.chains import identity, key

from dcl_comms_core import (
    ArchipelagoSession,
    Backoff,
    ChallengeGuard,
    ClockSet,
    Fetch,
    Fetched,
    FetchFailed,
    IslandChanged,
    LinkRef,
    SignatureNeeded,
    WorldSession,
    WsRoomSession,
    parse_about,
    parse_connection_string,
    signed_fetch_headers,
)

LOOPS = ("asyncio", "trio")
QUICK = RealmSettings(flush_seconds=0.1, pulse=replace(RealmSettings().pulse, pass_seconds=0.1))
"""Islands are settled ten times a second."""
LIFE = 3600.0
SOON = Backoff(initial=0.05, factor=1.5, maximum=0.5, attempts=20)


def realm(**settings):
    """A realm that settles its islands ten times a second; ``prefix`` is that of their names, whatever forms them."""
    options = {
        name: settings.pop(name) for name in ("livekit", "port", "limits", "hosts", "origins") if name in settings
    }
    options.setdefault("livekit", False)
    pulse = replace(QUICK.pulse, prefix=settings.get("prefix", QUICK.pulse.prefix))
    return realm_in_thread(settings=replace(QUICK, **{"pulse": pulse, **settings}), **options)


def wallet(number):
    """A login of a test wallet, valid now."""
    return identity(root=key(number), expires=time.time() + LIFE)


class Visitor:
    """A session and its NetLink."""

    def __init__(self, tour, session, who):
        self.tour = tour
        self.session = session
        self.who = who
        self.address = who.address.lower()
        self.events = []
        self.link = NetLink(lambda: None, tour.runner())
        session.receive(ClockSet(unix_offset=time.time() - tour.now()), now=tour.now())
        session.open(now=tour.now())

    def turn(self):
        now = self.tour.now()
        while self.link.drain(self.session, now=now, limit=64):
            pass
        due = self.session.deadline()
        if due is not None and due <= now:
            self.session.handle_timeout(now)
        while True:
            events = self.session.events()
            for event in events:
                if isinstance(event, SignatureNeeded):
                    self.session.provide_signature(event.request, self.who.sign(event.payload), now=now)
            self.events += events
            commands = self.session.commands()
            for command in commands:
                self.link.execute(command, now=now)
            if not commands and not events:
                return

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    async def expect(self, kind, count=1, timeout=40.0, **fields):
        """Wait for the count-th event of this kind with these field values."""

        def found():
            fits = [e for e in self.of(kind) if all(getattr(e, name) == value for name, value in fields.items())]
            return fits[count - 1] if len(fits) >= count else None

        return await self.tour.until(found, timeout)

    @property
    def island(self):
        changes = self.of(IslandChanged)
        return changes[-1].island if changes else None


class Tour:
    """What a scenario needs of a loop, and the visitors, all of whom turn while it waits."""

    def __init__(self, loop, realm):
        self.loop = loop
        self.realm = realm
        self.visitors = []
        self.fetched = []
        self._net = NetLink(lambda: None, self.runner())
        self._asked = 0

    def now(self):
        return trio.current_time() if self.loop == "trio" else asyncio.get_running_loop().time()

    def runner(self):
        return (TrioHost if self.loop == "trio" else AsyncioHost)().runner()

    async def sleep(self, seconds):
        await (trio.sleep if self.loop == "trio" else asyncio.sleep)(seconds)

    def receive(self, inp, *, now):
        self.fetched.append(inp)

    def turn(self):
        for visitor in self.visitors:
            visitor.turn()
        while self._net.drain(self, now=self.now(), limit=64):
            pass

    async def until(self, done, timeout=40.0):
        end = time.monotonic() + timeout
        while True:
            self.turn()
            found = done()
            if found:
                return found
            assert time.monotonic() < end, [[type(e).__name__ for e in v.events] for v in self.visitors]
            await self.sleep(0.005)

    async def rest(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn()
            await self.sleep(0.005)

    async def fetch(self, path, method="GET", **settings):
        """An answer: its status, its headers and its JSON."""
        self._asked += 1
        ref = LinkRef(9, self._asked)
        url = path if path.startswith("http") else self.realm.url + path
        self._net.execute(Fetch(link=ref, url=url, method=method, **settings), now=self.now())
        await self.until(lambda: [inp for inp in self.fetched if inp.link == ref])
        (inp,) = (inp for inp in self.fetched if inp.link == ref)
        assert isinstance(inp, Fetched | FetchFailed)
        return inp

    async def ask(self, path, who, metadata=None, *, unix_now=None, **changes):
        """A signed POST; headers may be changed."""
        url = self.realm.url + path
        headers = signed_fetch_headers(
            who, "POST", url, unix_now=time.time() if unix_now is None else unix_now, metadata=metadata or {}
        )
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        answer = await self.fetch(path, "POST", headers=tuple(headers.items()))
        return answer.status, json.loads(answer.body), dict(answer.headers)

    async def visit(self, who, position=(0.0, 0.0, 0.0), **settings):
        """Go to the realm's island service, by way of /about."""
        about = await self.fetch("/about")
        adapter = parse_about(about.body, url=self.realm.url).choose()
        guard = ChallengeGuard().allowing(self.realm.url)
        settings = {"heartbeat": 0.05, **settings}
        session = ArchipelagoSession(adapter, address=who.address, guard=guard, **settings)
        visitor = Visitor(self, session, who)
        session.set_position(position)
        self.visitors.append(visitor)
        return visitor

    async def enter(self, target, who, **settings):
        """Go into a ws-room."""
        adapter = parse_connection_string(target) if isinstance(target, str) else target
        guard = ChallengeGuard().allowing(self.realm.url)
        visitor = Visitor(self, WsRoomSession(adapter, address=who.address, guard=guard, **settings), who)
        self.visitors.append(visitor)
        return visitor

    @asynccontextmanager
    async def over(self):
        try:
            yield self
        finally:
            self._net.abandon()
            for visitor in self.visitors:
                visitor.link.abandon()
            await self.sleep(0.02)


def settle(t, who, path="", **options):
    """Go into a realm by its URL: its Pulse, its island service and its rooms."""
    options = {"heartbeat": 0.05, "reconnect": SOON, "pulse": "auto", **options}
    visitor = Visitor(t, WorldSession(t.realm.url + path, address=who.address, **options), who)
    t.visitors.append(visitor)
    return visitor


def tour(loop, realm, scenario):
    """Run a scenario, an async function of a Tour, on a loop."""

    async def main():
        async with Tour(loop, realm).over() as one:
            return await scenario(one)

    return trio.run(main) if loop == "trio" else asyncio.run(main())
