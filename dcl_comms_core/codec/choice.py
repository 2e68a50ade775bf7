"""Which codec does the work: the native one or the pure-Python one, with the same answers.

At import: the native one if it was built, unless the environment variable ``DCL_COMMS_CODEC`` says ``python`` (then the
native one is not even loaded) or ``native`` (then it is an ImportError, with the reason, if it can't be).  This is the
only thing that the core reads from its environment, once, and nothing but speed depends on it.

Later: ``use("python")`` and ``use("native")`` switch every public function, also where it has been imported by name.
``engines()`` gives both side by side, for comparing them.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

from dcl_comms_core.codec.buffers import Peek
from dcl_comms_core.errors import DecodeError, LocalProtocolError
from dcl_comms_core.limits import DEFAULT_LIMITS, Limits
from dcl_comms_core.proto._gen.rfc4 import Packet
from dcl_comms_core.proto._gen.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed import ReadableBuffer

    from dcl_comms_core.codec.columns import Fill, Rows
    from dcl_comms_core.proto.base import WireMessage
    from dcl_comms_core.proto.fields import MessageTable

    M = TypeVar("M", bound=WireMessage)
    R_co = TypeVar("R_co", covariant=True)

    class _FromData(Protocol[R_co]):
        def __call__(self, data: ReadableBuffer, *, limits: Limits = ...) -> R_co: ...

    class _FromClass(Protocol):
        def __call__(self, cls: type[M], data: ReadableBuffer, *, limits: Limits = ...) -> M: ...

    class _FromMany(Protocol):
        def __call__(self, packets: Iterable[ReadableBuffer], *, limits: Limits = ...) -> Rows: ...


__all__ = ["Engine", "active", "decode_movements", "decode_positions", "engines", "native_problem", "public", "use"]

VARIABLE: Final = "DCL_COMMS_CODEC"


class Engine(NamedTuple):
    """Every operation of one codec; the names are those of ``dcl_comms_core.codec``."""

    name: str
    encode: Callable[[WireMessage], bytes]
    decode: _FromData[Packet]
    decode_kind: _FromData[tuple[str | None, Packet]]
    decode_message: _FromClass
    peek: _FromData[Peek]
    kind_of: Callable[[Packet], str | None]
    encode_position: Callable[..., bytes]
    encode_movement: Callable[..., bytes]
    encode_chat: Callable[..., bytes]
    decode_positions: _FromMany
    decode_movements: _FromMany


@cache
def twin() -> Engine:
    """The one in Python.  Loading it takes as long as half of all messages do, and most processes never ask it."""
    from dcl_comms_core.codec import columns, python  # noqa: PLC0415
    from dcl_comms_core.codec._gen import encoders  # noqa: PLC0415

    return Engine(
        "python", python.encode, python.decode, python.decode_kind, python.decode_message, python.peek, python.kind_of,
        encoders.encode_position, encoders.encode_movement, encoders.encode_chat,
        columns.decode_positions, columns.decode_movements,
    )  # fmt: skip


_SHARED: Final = Engine._fields[1:10]
"""What the extension offers itself; the columns are ``columns.py`` around its ``fill``."""


def _asking(name: str) -> Callable[..., Any]:
    """An operation of the twin, loaded when the extension first leaves something to it."""

    def ask(*args: Any, **options: Any) -> Any:
        return getattr(twin(), name)(*args, **options)

    return ask


class _Native(NamedTuple):
    engine: Engine
    public: Engine
    redirect: Callable[[bool], None]


def _asked_for() -> str:
    """What the environment says.  The interpreter's own copy of it, as ``os`` has no place in the core."""
    variables: Mapping[Any, Any] = import_module("nt" if sys.platform == "win32" else "posix").environ
    for key, value in ((VARIABLE, ""), (VARIABLE.encode(), b"")):
        found = variables.get(key, value)
        if found:
            return found if isinstance(found, str) else found.decode(errors="replace")
    return ""


def load_native(tables: tuple[MessageTable, ...] = TABLES) -> _Native | str:
    """The native codec for these classes, or why there is none."""
    try:
        from dcl_comms_core.codec._native import _speedups  # noqa: PLC0415  # it may not be there
    except ImportError as problem:
        return str(problem)
    try:
        functions = _speedups.register(
            tables, tuple(_arguments(table) for table in tables), Packet, Peek, DecodeError, DEFAULT_LIMITS,
            {name: _asking(name) for name in _SHARED},
        )  # fmt: skip
    except ValueError as problem:
        return f"the message classes are not as the native codec expects them: {problem}"
    fill: Fill = _speedups.fill

    def native_positions(packets: Iterable[ReadableBuffer], *, limits: Limits = DEFAULT_LIMITS) -> Rows:
        return _columns("position", packets, limits, fill)

    def native_movements(packets: Iterable[ReadableBuffer], *, limits: Limits = DEFAULT_LIMITS) -> Rows:
        return _columns("movement", packets, limits, fill)

    direct: dict[str, Any] = {name: getattr(_speedups, name) for name in _SHARED}
    switched: dict[str, Any] = dict(functions)
    return _Native(
        Engine(name="native", decode_positions=native_positions, decode_movements=native_movements, **direct),
        Engine(name="public", decode_positions=decode_positions, decode_movements=decode_movements, **switched),
        _speedups.redirect,
    )


def _columns(kind: str, packets: Iterable[ReadableBuffer], limits: Limits, fill: Fill) -> Rows:
    from dcl_comms_core.codec.columns import columns  # noqa: PLC0415 - with the twin

    return columns(kind, packets, limits, fill)


def _arguments(table: MessageTable) -> tuple[str, ...]:
    """The constructor's arguments in their order."""
    constructor: Any = table.cls.__init__
    names: tuple[str, ...] = constructor.__code__.co_varnames
    return names[1 : constructor.__code__.co_argcount]


def choose(asked: str, load: Callable[[], _Native | str]) -> tuple[_Native | None, str | None]:
    """The native codec, or None and the reason.  ImportError: it was asked for, or something unknown was."""
    if asked not in {"", "native", "python"}:
        msg = f"{VARIABLE} can be native or python"
        raise ImportError(msg)
    if asked == "python":
        return None, f"{VARIABLE}=python"
    found = load()
    if not isinstance(found, str):
        return found, None
    if asked == "native":
        msg = f"{VARIABLE}=native, but there is no native codec: {found}"
        raise ImportError(msg)
    return None, found


def decode_positions(packets: Iterable[ReadableBuffer], *, limits: Limits = DEFAULT_LIMITS) -> Rows:
    """Position packets to a numpy structured array, one row each: see ``columns.py``.  Needs the extra ``numpy``."""
    return _engine().decode_positions(packets, limits=limits)


def decode_movements(packets: Iterable[ReadableBuffer], *, limits: Limits = DEFAULT_LIMITS) -> Rows:
    """Movement packets to a numpy structured array, one row each: see ``columns.py``.  Needs the extra ``numpy``."""
    return _engine().decode_movements(packets, limits=limits)


_native, _problem = choose(_asked_for(), load_native)
_names: Final = ("python", "native") if _native else ("python",)
_active = [_names[-1]]
# With one engine there is nothing to redirect.
_redirect: Final[Callable[[bool], object]] = _native.redirect if _native else bool
public: Final = _native.public if _native else twin()._replace(
    decode_positions=decode_positions, decode_movements=decode_movements
)  # fmt: skip
"""The functions that ``dcl_comms_core.codec`` gives out; ``use()`` says which engine they are."""


def _engine() -> Engine:
    """The one that is in use."""
    return twin() if _native is None or active() == "python" else _native.engine


@cache
def engines() -> Mapping[str, Engine]:
    """Name -> every operation: always ``python``, and ``native`` where it is loaded; whatever ``use()`` was told."""
    return MappingProxyType({"python": twin()} | ({"native": _native.engine} if _native else {}))


def active() -> str:
    """The name of the engine behind the public functions."""
    return _active[0]


def native_problem() -> str | None:
    """Why there is no native codec in this process; None if there is."""
    return _problem


def use(name: str) -> None:
    """Put one engine behind all public functions, in this whole process.  LocalProtocolError: it is not there."""
    if name not in _names:
        detail = f": {_problem}" if name == "native" else f"; there are: {', '.join(_names)}"
        msg = f"no codec named {name}{detail}"
        raise LocalProtocolError(msg)
    _redirect(name == "python")
    _active[0] = name
