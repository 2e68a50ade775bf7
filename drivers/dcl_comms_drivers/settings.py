"""What ``connect`` and ``open`` may be told: the keyword arguments, the same for every driver, and their defaults."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sized
from dataclasses import dataclass, field, replace
from enum import Enum
from math import inf
from typing import TYPE_CHECKING, Final, Protocol, Self, TypedDict, TypeVar, runtime_checkable

from dcl_comms_core.avatars.avatar import Avatar
from dcl_comms_core.company.ignoring import Ignore
from dcl_comms_core.errors import LocalProtocolError
from dcl_comms_core.identity.guard import ChallengeGuard
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.packets.motion import check_position
from dcl_comms_core.packets.movement import MovementCodec
from dcl_comms_core.pulse.areas import ScenesOnly
from dcl_comms_core.pulse.choice import AUTO, check_pulse
from dcl_comms_core.room.incoming.dedupe import Seen
from dcl_comms_core.room.options import Delivery, Subscribe
from dcl_comms_core.room.outgoing.intents import check_version
from dcl_comms_core.tap import Tap
from dcl_comms_core.tools.backoff import Backoff
from dcl_comms_core.weather.away import Away
from dcl_comms_drivers.livekit.choice import LiveKitVia, RoomEngine, choose_engine, default_engine
from dcl_comms_drivers.media.frames import VideoSettings
from dcl_comms_drivers.net.dial import NetOptions

if TYPE_CHECKING:
    from dcl_comms_core.identity.login import AuthIdentity
    from dcl_comms_core.inputs import Track
    from dcl_comms_core.journal.record import Journal
    from dcl_comms_core.peers import PeerId
    from dcl_comms_core.pulse.choice import PulseSetting
    from dcl_comms_core.room.options import SubscribePolicy
    from dcl_comms_drivers.wallet.wallets import Wallet

__all__ = ["Delivery", "OnFull", "Options", "Settings", "Subscribe", "VideoSettings"]


class OnFull(Enum):
    """What happens when the application does not read its events and ``Limits.event_queue`` is reached."""

    DROP_OLDEST = "drop oldest"
    """The oldest event goes.

    ``stats.dropped_events`` counts, and a LimitReached stands in the place of what is missing.
    """
    CLOSE = "close"
    """The room is closed and ConnectionLost(OVERFLOW) raised."""


class Settings(TypedDict, total=False):
    """The keyword arguments of ``connect`` and ``open``, the same for every driver."""

    wallet: Wallet | AuthIdentity | None
    """Who we are, for targets that ask for a signature; livekit: and simulator: strings do not.

    It is asked for one login before anything is opened, which takes as long as it takes: ``timeout`` begins after it.
    What it raises comes out of ``connect``.
    """
    guard: ChallengeGuard | None
    """What the login may sign, and where; None: for Decentraland's hosts, and for the one that the target names."""
    limits: Limits
    """Bounds of queues, tables and waits; DEFAULT_LIMITS."""
    timeout: float | None
    """Seconds until the room must be open, and for each join after that.

    None: ``limits.connect_seconds``, and ``limits.enter_seconds`` for a realm's first room.
    """
    reconnect: bool | Backoff
    """Join anew when the connection is lost and the reason allows it: True (the default), False, or how."""
    subscribe: SubscribePolicy | str
    """Which tracks of others to receive: a Subscribe (ALL), or a function of the sender and the Track that says.

    An error in the function ends the connection, and whoever reads its events gets it.
    """
    ignore: Ignore | None
    """Whom to ignore without being told: ``Ignore(abuse_over=100)``; None (the default): nobody."""
    on_full: OnFull | str
    """What happens when events are not read; OnFull.DROP_OLDEST."""
    delivery: Delivery | str
    """As events of what packets mean (the default), or every packet as a PacketReceived."""
    profile_version: int | None
    """Of our profile, announced from the beginning, for those who know it; None: that of ``profile``."""
    profile: Avatar | None
    """How we look and are called: offered to all who are there, and announced.

    None: what the realm has of the wallet, which is looked up once we are in; of guests nothing is, and a realm that
    has none is told of by a Warning.  Then version 0 is announced, by which Unity clients talk to us.  In a single
    room, where no realm can be asked, nothing is announced.
    """
    silent: bool
    """Never announce a profile by ourselves; a Warning says what that costs."""
    movement_codec: MovementCodec | None
    """Reads compressed movements, which are told as PacketReceived without it."""
    seen: Seen | None
    """Shared by the connections of one application, so that what comes through several rooms is told once.

    The rooms of a realm have one of their own.
    """
    engine: RoomEngine | str | None
    """What carries LiveKit rooms: "rtc" (our own, for data alone), "livekit" (the package's), or "auto".

    None: as DCL_COMMS_ENGINE of the environment says, else auto.
    Auto is ``rtc`` where ``dcl_comms_rtc`` is installed and ``subscribe`` is Subscribe.NONE.  See docs/engines.md.
    """
    livekit: LiveKitVia | str | None
    """How the livekit package is reached; None: as DCL_COMMS_LIVEKIT of the environment says, else LiveKitVia.AUTO."""
    plain: bool
    """Allow http: and ws: everywhere; otherwise they are for loopback."""
    tls: ssl.SSLContext | None
    """For https: and wss:, LiveKit's servers too; None: Python's default, with this machine's authorities."""
    position: tuple[float, float, float]
    """Where we are at first, in metres (x east, y up, z north): an island service decides by it; the origin."""
    gatekeeper: str | None
    """Who lets into scenes' rooms, a URL to post to.

    None: in a world its own server, in a local preview the Foundation's gatekeeper for those; elsewhere the realm if it
    is not on the internet, else the Foundation's gatekeeper.
    """
    realm_name: str | None
    """What the gatekeeper is told that the realm is called; None: as the realm says, else ``main``."""
    secret: str | None
    """The password of a world that has one; it is said to that world's own host, and to nobody else."""
    is_guest: bool | None
    """Whether services are told that we are a guest; None: where the wallet is a DisposableWallet."""
    heartbeat: float
    """Seconds between two words to the island service about where we are; 1."""
    pulse: PulseSetting
    """Whether a realm's Pulse is asked where everybody is, and where it is.

    ``"auto"`` (the default): as the realm's document says; else the Foundation's, for realms of the Foundation.
    ``"host:port"``: there.  ``None``: never.  ``ScenesOnly(...)``: to watch some parcels without being seen.
    """
    away: Away | str
    """What verbs do while no room is open and one is looked for or repaired: Away.WAIT (the default) or Away.RAISE.

    What waits, waits for Limits.waiting_seconds; RAISE: NotInARoom.  ``move`` is remembered either way.
    """
    journal: Journal | str | os.PathLike[str] | None
    """Where to write down what goes through the session, without secrets: a Journal, or a file to make anew.

    ``dcl-comms replay FILE`` runs it again.
    """
    log: str | None
    """A name for this connection in Python's logging: ``log="greeter"`` is the logger ``dcl_comms.greeter``.

    None: ``dcl_comms``.  See docs/logging.md.
    """
    tap: Tap | None
    """Told of every packet in and out with what became of it, and of all else, never with a secret.

    See ``dcl_comms_core.tap``.  What it raises ends the connection.
    """


@runtime_checkable
class _Wallet(Protocol):
    """What may be a wallet, or a login."""

    @property
    def address(self) -> str: ...
    def sign(self, text: str, /) -> object: ...


@runtime_checkable
class _Policy(Protocol):
    """What can be called."""

    def __call__(self, sender: PeerId, track: Track, /) -> bool: ...


@runtime_checkable
class _Journal(Protocol):
    """What may be a Journal."""

    def record(self, make: object, /, *args: object, **options: object) -> object: ...
    def replay(self) -> object: ...


_NONE: Final = type(None)
_TAKES: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "wallet": ((_Wallet, _NONE), "a wallet (address, async sign(message)) or an AuthIdentity"),
    "guard": ((ChallengeGuard, _NONE), "a ChallengeGuard(hosts)"),
    "limits": ((Limits,), "Limits(...)"),
    "timeout": ((int, float, _NONE), "seconds"),
    "reconnect": ((bool, Backoff), "True, False or a Backoff(...)"),
    "subscribe": ((Subscribe, str, _Policy), "a Subscribe, or a function of the sender and the Track"),
    "ignore": ((Ignore, _NONE), "an Ignore(abuse_over=...)"),
    "on_full": ((OnFull, str), "an OnFull"),
    "delivery": ((Delivery, str), "a Delivery"),
    "profile_version": ((int, _NONE), "a number"),
    "profile": ((Avatar, _NONE), "an Avatar(name=...)"),
    "silent": ((bool,), "True or False"),
    "movement_codec": ((MovementCodec, _NONE), "a MovementCodec(...)"),
    "seen": ((Seen, _NONE), "a Seen(...), shared by several connections"),
    "engine": ((RoomEngine, str, _NONE), "a RoomEngine"),
    "livekit": ((LiveKitVia, str, _NONE), "a LiveKitVia"),
    "plain": ((bool,), "True or False"),
    "tls": ((ssl.SSLContext, _NONE), "an ssl.SSLContext"),
    "position": ((Sized,), "three numbers of metres: x east, y up, z north"),
    "gatekeeper": ((str, _NONE), "a URL to post to"),
    "realm_name": ((str, _NONE), "a realm's name"),
    "secret": ((str, _NONE), "a world's password"),
    "is_guest": ((bool, _NONE), "True, False or None"),
    "heartbeat": ((int, float), "seconds"),
    "pulse": ((str, ScenesOnly, _NONE), '"auto", None, "host:port" or ScenesOnly(...)'),
    "away": ((Away, str), "an Away"),
    "journal": ((_Journal, str, os.PathLike, _NONE), "a Journal(), or the name of a file to make anew"),
    "log": ((str, _NONE), "a name"),
    "tap": ((Tap, _NONE), "an observer: see dcl_comms_core.tap"),
}
"""What each setting may be, and how to say so."""

_Choice = TypeVar("_Choice", bound=Enum)


def choice(kind: type[_Choice], value: object) -> _Choice:
    """A member of an enum, or the one that has this value: settings may come from a file or a command line."""
    try:
        return kind(value)
    except ValueError:
        msg = f"{value!r} is no {kind.__name__}: there are {', '.join(repr(choice.value) for choice in kind)}"
        raise LocalProtocolError(msg) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Settings with their defaults."""

    limits: Limits
    reconnect: Backoff | None
    subscribe: SubscribePolicy
    ignore: Ignore | None
    on_full: OnFull
    delivery: Delivery
    profile_version: int | None
    profile: Avatar | None
    looks_up: bool
    """Whether the realm is asked for the wallet's own profile."""
    silent: bool
    movement_codec: MovementCodec | None
    seen: Seen | None
    engine: RoomEngine
    livekit: LiveKitVia | None
    sdk_fallback: bool
    wallet: Wallet | AuthIdentity | None
    guard: ChallengeGuard | None
    net: NetOptions
    position: tuple[float, float, float]
    gatekeeper: str | None
    realm_name: str | None
    secret: str | None = field(repr=False)
    is_guest: bool
    heartbeat: float
    pulse: PulseSetting
    away: Away
    journal: Journal | str | os.PathLike[str] | None
    log: str | None
    tap: Tap | None

    @property
    def own_engine(self) -> bool:
        """Whether LiveKit rooms are carried by our own engine, as far as that can be."""
        return choose_engine(self.engine, tracks=self.subscribe is not Subscribe.NONE).engine is RoomEngine.RTC

    @classmethod
    def of(cls, settings: Settings, *, sdk_fallback: bool = False) -> Self:
        """Fill in what was not given; LocalProtocolError for a name that is not a setting.

        ``sdk_fallback``: see ``choice.open_livekit``.
        """
        unknown = settings.keys() - Settings.__annotations__.keys()
        if unknown:
            msg = f"unknown settings: {', '.join(sorted(unknown))}; there are {', '.join(Settings.__annotations__)}"
            raise LocalProtocolError(msg)
        for name, value in settings.items():
            kinds, what = _TAKES[name]
            # True is a number to Python, and none of these.
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                msg = f"{name}= takes {what}, not {type(value).__name__}"
                raise LocalProtocolError(msg)
        limits = settings.get("limits", DEFAULT_LIMITS)
        timeout = settings.get("timeout")
        if timeout is not None and not 0.0 <= timeout < inf:
            msg = f"timeout= takes seconds, not {timeout!r}"
            raise LocalProtocolError(msg)
        position = settings.get("position", (0.0, 0.0, 0.0))
        check_position(position)
        version, profile = settings.get("profile_version"), settings.get("profile")
        silent = settings.get("silent", False)
        if version is not None:
            check_version(version)
        # Whoever is silent says so; all others announce something, or Unity clients say next to nothing to us.
        looks_up = version is None and profile is None and not silent
        if version is None and not silent:
            version = 0 if profile is None else profile.version
        reconnect = settings.get("reconnect", True)
        policy = settings.get("subscribe", Subscribe.ALL)
        limits = limits if timeout is None else replace(limits, connect_seconds=timeout, enter_seconds=timeout)
        pulse = settings.get("pulse", AUTO)
        check_pulse(pulse)
        livekit, engine = settings.get("livekit"), settings.get("engine")
        wallet, guest = settings.get("wallet"), settings.get("is_guest")
        return cls(
            limits=limits,
            reconnect=reconnect if isinstance(reconnect, Backoff) else Backoff() if reconnect else None,
            subscribe=policy if callable(policy) else choice(Subscribe, policy),
            ignore=settings.get("ignore"),
            on_full=choice(OnFull, settings.get("on_full", OnFull.DROP_OLDEST)),
            delivery=choice(Delivery, settings.get("delivery", Delivery.EVENTS)),
            profile_version=version,
            profile=None if silent else profile,
            looks_up=looks_up,
            silent=silent,
            movement_codec=settings.get("movement_codec"),
            seen=settings.get("seen"),
            engine=default_engine() if engine is None else choice(RoomEngine, engine),
            livekit=None if livekit is None else choice(LiveKitVia, livekit),
            sdk_fallback=sdk_fallback,
            wallet=wallet,
            guard=settings.get("guard"),
            net=NetOptions(limits=limits, plain=settings.get("plain", False), tls=settings.get("tls")),
            position=position,
            gatekeeper=settings.get("gatekeeper"),
            realm_name=settings.get("realm_name"),
            secret=settings.get("secret"),
            is_guest=getattr(wallet, "is_guest", False) if guest is None else guest,
            heartbeat=settings.get("heartbeat", 1.0),
            pulse=pulse,
            away=choice(Away, settings.get("away", Away.WAIT)),
            journal=settings.get("journal"),
            log=settings.get("log"),
            tap=settings.get("tap"),
        )
