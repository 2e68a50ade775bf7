"""Who a command is at its target, and where it is there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dcl_comms_core.adapters.connection_string import LiveKitAdapter, OfflineAdapter, SimulatorAdapter, WsRoomAdapter
from dcl_comms_core.adapters.targets import parse_target
from dcl_comms_core.pulse.choice import AUTO
from dcl_comms_station.exits import Exit, Failed

if TYPE_CHECKING:
    from dcl_comms_drivers.settings import Settings
    from dcl_comms_drivers.wallet import LocalWallet

    from dcl_comms_core.adapters.connection_string import Adapter
    from dcl_comms_core.identity.login import AuthIdentity

__all__ = ["NOBODY", "Point", "Visitor", "open_wallet"]

Point = tuple[float, float, float]
"""Metres: x east, y up, z north."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """What the options say.  A room that a connection string names asks for none of it."""

    key_file: str | None = None
    """A file with a key or a login, as ``load_wallet`` takes it; None: a guest."""
    at: Point | None = None
    scene: tuple[str, tuple[int, int]] | None = None
    """A scene's id and one of its parcels."""
    secret: str | None = field(default=None, repr=False)
    """A world's password."""
    names_secret: bool = False
    """Whether an option says so, and not only the environment, which may be there for another target."""
    plain: bool = False
    """May http: and ws: leave this machine."""
    pulse: str | None = AUTO
    """Whether a realm's Pulse is asked, and where: as ``connect(pulse=...)``."""
    assumed: frozenset[str] = frozenset()
    """Which of wallet, at and pulse are as the user's file says, which is for other targets too."""

    def settings(self, target: str) -> Settings:
        """What ``connect`` has to be told.

        InvalidConnectionString: the target is none.  Failed(USAGE): an option is not for this target, or its file holds
        neither a key nor a login.  ModuleNotFoundError: there is no wallet, as the extra is not installed.
        """
        where = parse_target(target)
        me = self.fitting(where)
        # Nobody is asked who it is there; of offline: the drivers say that nobody is met.
        if isinstance(where, LiveKitAdapter | SimulatorAdapter | OfflineAdapter):
            return {"plain": me.plain}
        settings: Settings = {
            "wallet": open_wallet(where, me.key_file),
            "plain": me.plain,
            "secret": me.secret,
            "pulse": me.pulse,
        }
        if me.at is not None:
            settings["position"] = me.at
        return settings

    def fitting(self, where: str | Adapter) -> Visitor:
        """The same without what is only assumed and not for this target.  Failed(USAGE): an option is not for it."""
        kind = "a realm" if isinstance(where, str) else f"{where.protocol}:"
        is_room = isinstance(where, LiveKitAdapter | SimulatorAdapter)
        refused = {
            "wallet": is_room and self.key_file is not None,
            "at": (is_room or isinstance(where, WsRoomAdapter)) and self.at is not None,
            "scene": (is_room or isinstance(where, WsRoomAdapter)) and self.scene is not None,
            "secret": (is_room or isinstance(where, WsRoomAdapter)) and self.names_secret,
            "pulse": (is_room or isinstance(where, WsRoomAdapter)) and self.pulse != AUTO,
        }
        me = self
        for option in (option for option, is_refused in refused.items() if is_refused):
            if option not in self.assumed:
                raise Failed(Exit.USAGE, f"--{option} is for realms, not for {kind}")
            match option:
                case "wallet":
                    me = replace(me, key_file=None)
                case "at":
                    me = replace(me, at=None)
                case _:
                    me = replace(me, pulse=AUTO)
        return me


NOBODY = Visitor()
"""A guest, at the origin."""


def open_wallet(where: str | Adapter, key_file: str | None) -> LocalWallet | AuthIdentity | None:
    """The wallet or the login in a file, or a new wallet; None: there can be none, and this realm may do without.

    Failed(USAGE): the file can't be read, may be read by others, or holds neither.
    """
    if key_file is None and isinstance(where, str) and find_spec("coincurve") is None:
        return None
    from dcl_comms_drivers.wallet import DisposableWallet, KeyFileRefused, load_wallet  # noqa: PLC0415 - the extra

    if key_file is None:
        return DisposableWallet()
    try:
        return load_wallet(key_file)
    except KeyFileRefused as error:
        raise Failed(Exit.USAGE, f"--wallet: {error}") from None
    except OSError as error:
        raise Failed(Exit.USAGE, f"--wallet: this file can't be read: {error.strerror}") from None
