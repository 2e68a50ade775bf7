"""The way to a room: a realm's ``/about``, then as many signed requests as it takes, each with its time limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from dcl_comms_core import events as ev
from dcl_comms_core.adapters.about import read_about
from dcl_comms_core.adapters.answers import Refusal, RefusalReason, read_answer
from dcl_comms_core.adapters.connection_string import Adapter
from dcl_comms_core.adapters.resolution import Resolution
from dcl_comms_core.commands import CancelFetch, Fetch
from dcl_comms_core.errors import (
    InvalidConnectionString,
    InvalidRealm,
    RealmProblem,
    SigningRefused,
)
from dcl_comms_core.identity.auth_chain import require_answer
from dcl_comms_core.identity.signed_fetch import unsigned_request
from dcl_comms_core.inputs import FetchFailed, LinkRef
from dcl_comms_core.states import RETRY, WAY_TRANSITIONS, CloseReason, Retry, WayState, WayTrigger
from dcl_comms_core.tools.urls import host_and_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcl_comms_core.adapters.about import Realm
    from dcl_comms_core.adapters.url_guard import Place
    from dcl_comms_core.commands import Command
    from dcl_comms_core.identity.auth_chain import AuthChain
    from dcl_comms_core.identity.guard import ChallengeGuard
    from dcl_comms_core.identity.signed_fetch import UnsignedRequest
    from dcl_comms_core.inputs import Fetched
    from dcl_comms_core.limits import Limits

__all__ = ["Found", "OlderForms", "Saying", "Setback", "Way", "no_wallet"]


class Setback(NamedTuple):
    """Why there is no room, or no longer."""

    reason: CloseReason
    retry: Retry
    detail: str = ""
    pause: float = 0.0
    """Seconds that a server asks us to wait."""

    @classmethod
    def of(cls, reason: CloseReason, detail: str = "") -> Setback:
        """What usually helps after it."""
        return cls(reason, RETRY[reason], detail)


class Found(NamedTuple):
    """Where the way led."""

    adapter: Adapter
    within: Place | None
    """Where the server is that named it; None: the user did."""


Outcome = Found | Setback | None
Saying: TypeAlias = "Callable[[str], Mapping[str, object]]"


class OlderForms:
    """Hosts whose services take signed requests in the older form only, as far as they were asked.

    As many as there may be on a way (``adapter_hops``); the one that was noted first is forgotten for another.
    """

    __slots__ = ("_hosts", "_most")

    def __init__(self, limits: Limits) -> None:
        self._hosts: dict[str, None] = {}
        self._most = limits.adapter_hops

    def wanted(self, url: str) -> bool:
        """Whether the service at this URL is to be asked in the older form."""
        return host_and_port(url) in self._hosts

    def note(self, url: str, *, older: bool) -> None:
        """The service at this URL takes this form."""
        host = host_and_port(url)
        self._hosts.pop(host, None)
        if older:
            self._hosts[host] = None
            if len(self._hosts) > self._most:
                del self._hosts[next(iter(self._hosts))]


def no_wallet(why: str) -> Setback:
    """Somebody asks who we are, and nobody can say."""
    return Setback.of(
        CloseReason.NO_WALLET, f"{why}: pass wallet=DisposableWallet() to be a guest, or a wallet of yours"
    )


class Way:
    """One way after another; its methods give what it led to, None while it is not at its end.

    ``older``: shared by the ways of a session.
    """

    def __init__(
        self, *, link: int, room: str, limits: Limits, guard: ChallengeGuard, address: str | None, older: OlderForms
    ) -> None:
        self._link = LinkRef(link, 0)
        self._room = room
        self._limits = limits
        self._guard = guard
        self._address = address
        self._older = older
        self._asked = ""
        self._folded = self._second = False
        """Whether the request is signed in the older form; whether another form was tried before."""
        self._said_to: Saying
        """Set where a way begins."""
        self._url = ""
        self._within: Place | None = None
        self._resolution: Resolution | None = None
        self._unsigned: UnsignedRequest | None = None
        self._request = 0
        self._commands: list[Command] = []
        self._events: list[ev.Event] = []
        self.state = WayState.IDLE
        self.deadline: float | None = None
        self.realm: Realm | None = None
        """What the realm last said of itself."""
        self.place: Place | None = None
        """Where the realm was last reached."""
        self.late = 0
        """Answers that nobody waited for."""

    @property
    def link(self) -> int:
        """The number of its requests' link."""
        return self._link.link

    def take_commands(self) -> list[Command]:
        """Drain."""
        commands, self._commands = self._commands, []
        return commands

    def take_events(self) -> list[ev.Event]:
        """Drain."""
        events, self._events = self._events, []
        return events

    # --- beginning and end

    def look(self, url: str, said_to: Saying, now: float) -> None:
        """Begin at a realm's URL; ``said_to`` gives the metadata of signed requests, if it takes any, by their URL."""
        self.stop()
        self._url, self._said_to, self._within, self._resolution = url, said_to, None, None
        self._move(WayTrigger.LOOK)
        self._fetch(now, f"{url}/about", "GET", (), self._limits.about_chars)

    def follow(
        self, adapter: Adapter, said_to: Saying, now: float, unix_now: float, within: Place | None = None
    ) -> Outcome:
        """Begin at an adapter, which may be a place to ask for another one.  ``within``: where who named it is."""
        self.stop()
        self._said_to, self._within = said_to, within
        return self._resolve(Resolution(adapter, limits=self._limits), now, unix_now)

    def stop(self) -> None:
        """Give it up."""
        if self.state in _ON_THE_WIRE:
            self._commands.append(CancelFetch(link=self._link))
        self._over()

    def timed_out(self, now: float) -> Setback | None:
        """Let time pass; a Setback: it took too long."""
        if self.deadline is None or self.deadline > now:
            return None
        state = self.state
        self.stop()
        if state is WayState.SIGNING:
            seconds = self._limits.request_sign_seconds
            return Setback.of(CloseReason.NOT_SIGNED, f"the request was not signed within {seconds:g} s")
        return Setback.of(CloseReason.TIMEOUT, f"no answer within {self._limits.request_seconds:g} s")

    # --- on its way

    def receive(self, inp: Fetched | FetchFailed, now: float, unix_now: float) -> Outcome:
        """Take the answer to the last request."""
        if inp.link != self._link or self.state not in _ON_THE_WIRE:
            self.late += 1
            return None
        if isinstance(inp, FetchFailed):
            self._over()
            return Setback.of(inp.reason, inp.detail)
        self._within = inp.place
        headers = dict(inp.headers)
        resolution = self._resolution
        if resolution is None:
            realm = read_about(inp.status, headers, inp.body, url=self._url, unix_now=unix_now, limits=self._limits)
            if isinstance(realm, Refusal):
                return self._refused(realm)
            self.realm, self.place = realm, inp.place
            try:
                chosen = realm.choose()
            except InvalidRealm as error:
                self._over()
                never = error.problem is RealmProblem.OTHER_PROTOCOL
                retry = Retry.NEVER if never else RETRY[CloseReason.PROTOCOL]
                return Setback(CloseReason.PROTOCOL, retry, str(error))
            resolution = Resolution(chosen, limits=self._limits)
        else:
            answer = read_answer(inp.status, headers, inp.body, unix_now=unix_now, limits=self._limits)
            misread = isinstance(answer, Refusal) and answer.reason is RefusalReason.SIGNATURE
            if misread and not self._second:
                return self._sign(self._asked, now, unix_now, folded=not self._folded)
            if not misread:
                self._older.note(self._asked, older=self._folded)
            resolution.answer(answer)
        return self._resolve(resolution, now, unix_now)

    def provide(self, request: int, chain: AuthChain, now: float, unix_now: float) -> None:
        """Make the request that was signed."""
        unsigned = self._unsigned
        if request != self._request or unsigned is None:
            self.late += 1
            return
        require_answer(chain, unsigned.payload, unix_now=unix_now)
        self._unsigned = None
        self._move(WayTrigger.SIGNED)
        headers = tuple(unsigned.headers(chain).items())
        self._fetch(now, unsigned.url, "POST", headers, self._limits.answer_chars)

    def refuse(self, request: int, detail: str) -> Setback | None:
        """Nobody will sign."""
        if request != self._request or self._unsigned is None:
            self.late += 1
            return None
        self._over()
        return Setback(CloseReason.NOT_SIGNED, Retry.NEVER, detail)

    # --- steps

    def _resolve(self, resolution: Resolution, now: float, unix_now: float) -> Outcome:
        self._resolution = resolution
        if resolution.request is not None:
            url = resolution.request.url
            return self._sign(url, now, unix_now, folded=self._older.wanted(url), first=True)
        result = resolution.result
        if isinstance(result, Adapter):
            self._over()
            return Found(result, self._within)
        return self._refused(result or Refusal(reason=RefusalReason.MALFORMED))

    def _sign(self, url: str, now: float, unix_now: float, *, folded: bool, first: bool = False) -> Setback | None:
        self._asked, self._folded, self._second = url, folded, not first
        if self._address is None:
            self._over()
            return no_wallet("a connection string is given for a signed request only")
        try:
            self._unsigned = unsigned_request(
                "POST", url, unix_now=unix_now, metadata=self._said_to(url), guard=self._guard, folded=folded
            )
        except SigningRefused as error:
            self._over()
            return Setback.of(CloseReason.SIGNING_REFUSED, str(error))
        except InvalidConnectionString as error:
            self._over()
            return Setback(CloseReason.PROTOCOL, Retry.NEVER, str(error))
        self._move(WayTrigger.SIGN)
        self.deadline = now + self._limits.request_sign_seconds
        self._request += 1
        payload = self._unsigned.payload
        self._events.append(ev.SignatureNeeded(at=now, room=self._room, payload=payload, request=self._request))
        return None

    def _fetch(self, now: float, url: str, method: str, headers: tuple[tuple[str, str], ...], longest: int) -> None:
        self._link = LinkRef(self._link.link, self._link.generation + 1)
        self.deadline = now + self._limits.request_seconds
        self._commands.append(
            Fetch(link=self._link, url=url, method=method, headers=headers, max_bytes=longest, within=self._within)
        )

    def _refused(self, refusal: Refusal) -> Setback:
        self._over()
        status = f"HTTP {refusal.status}" if refusal.status else ""
        detail = ": ".join(filter(None, (status, refusal.reason.value, refusal.detail)))
        return Setback(refusal.closes, refusal.retry, detail, refusal.retry_after or 0.0)

    def _over(self) -> None:
        self._unsigned = self.deadline = None
        self._move(WayTrigger.OVER)

    def _move(self, trigger: WayTrigger) -> None:
        self.state = WAY_TRANSITIONS[self.state, trigger]


_ON_THE_WIRE: Final = frozenset({WayState.LOOKING, WayState.ASKING})
