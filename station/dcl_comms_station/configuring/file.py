"""What is in the file, checked: names of targets, and what options are by default."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from dcl_comms_core.tools.secrets import has_token, without_tokens
from dcl_comms_station.exits import Exit, Failed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["CONFIG_VARIABLE", "Config", "read_config"]

CONFIG_VARIABLE: Final = "DCL_COMMS_CONFIG"
"""The environment variable that stands for an absent ``--config``."""
_MOST: Final = 65_536
"""Bytes of a file."""
_OTHERS: Final = 0o077
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*", re.ASCII)
"""No dot and no colon: nothing that leads somewhere by itself, but for these words."""
_WORDS: Final = frozenset({"main", "offline", "localhost"})
_SECRET: Final = re.compile(r"://[^/\s\"']*@|\b(?:0x)?[0-9a-f]{64}\b", re.IGNORECASE)
"""A password in a URL, or a private key."""
_KEYS: Final = ("default", "targets", "defaults")
_KINDS: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "wallet": ((str,), "a file's name"),
    "at": ((str, list), '"X,Y,Z" or [X, Y, Z]'),
    "loop": ((str,), "text"),
    "timeout": ((int, float), "a number of seconds"),
    "pulse": ((str,), "text"),
    "plain": ((bool,), "true or false"),
    "color": ((str,), "text"),
}
"""What each option may be, and the same in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the file says; nothing if there is none."""

    path: str = ""
    targets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Names of the user's, and the targets that they stand for, which may hold a token."""
    default: str | None = None
    """One of those names, for where no target is given."""
    defaults: Mapping[str, str | float | bool] = field(default_factory=dict[str, str | float | bool])
    """By the options' names without dashes; not checked any further than for their kind."""

    def find(self, text: str) -> str:
        """The target that a name stands for; what is no name, as it is.  Failed(USAGE): it is nearly a name."""
        found = self.targets.get(text)
        if found is not None:
            return found
        meant = _meant(text, self.targets) if _NAME.fullmatch(text) and text.lower() not in _WORDS else ""
        if meant:
            raise Failed(Exit.USAGE, f"no target is called {text!r}{meant}")
        return text


def read_config(named: str | None) -> Config:
    """Read this file, or, for None, the one at the usual place, which need not be there.

    Failed(USAGE): it can't be read, is no TOML, says what is not known, or holds a secret that others may read.
    """
    path = _usual() if named is None else Path(named)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MOST + 1)
    except OSError as error:
        # Who has no home may have /dev/null for one.
        if named is None and isinstance(error, FileNotFoundError | NotADirectoryError):
            return Config()
        raise _refused(path, f"this file can't be read: {error.strerror}") from None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise _refused(path, "this file is no text") from None
    if len(data) > _MOST:
        raise _refused(path, f"this file has more than {_MOST} bytes")
    if mode & _OTHERS and (has_token(text) or _SECRET.search(text)):
        raise _refused(path, "there is a secret in it, and others may read or write this file: chmod 600 it")
    try:
        return _checked(path, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _refused(path, f"this is no TOML: {error}") from None


def _usual() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME", "")
    # What is relative there is to be ignored, says the standard.
    folder = Path(base) if os.path.isabs(base) else Path(os.path.expanduser("~"), ".config")  # noqa: PTH111, PTH117 - home may be unknown
    return folder / "dcl-comms" / "config.toml"


def _refused(path: Path, why: str) -> Failed:
    return Failed(Exit.USAGE, without_tokens(f"{path}: {why}"))


def _checked(path: Path, said: Mapping[str, Any]) -> Config:
    _require_known(path, said, _KEYS, "")
    targets = _table(path, said, "targets")
    for name, target in targets.items():
        if not _NAME.fullmatch(name):
            raise _refused(path, f"targets: {name!r} is no name: letters, digits, _ and -")
        if not isinstance(target, str) or not target.strip():
            raise _refused(path, f"targets.{name} is a target's text")
    default = said.get("default")
    if default is not None and not isinstance(default, str):
        raise _refused(path, "default is the name of one of the targets")
    if default is not None and default not in targets:
        raise _refused(path, f"default: none of the targets is called {default!r}{_meant(default, targets)}")
    defaults = _table(path, said, "defaults")
    _require_known(path, defaults, _KINDS, "defaults.")
    return Config(
        path=str(path),
        targets={name: target.strip() for name, target in targets.items()},
        default=default,
        defaults={name: _value(path, name, value) for name, value in defaults.items()},
    )


def _table(path: Path, said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table: object = said.get(name, {})
    if not isinstance(table, dict):
        raise _refused(path, f"{name} is a table: [{name}]")
    return cast("Mapping[str, Any]", table)


def _require_known(path: Path, said: Iterable[str], known: Iterable[str], where: str) -> None:
    for name in said:
        if name not in known:
            hint = _meant(name, known) or f"; there are {', '.join(known)}"
            raise _refused(path, f"{where}{name} is not known{hint}")


def _meant(name: str, known: Iterable[str]) -> str:
    alike = get_close_matches(name, list(known), n=1)
    return f"; did you mean {alike[0]}?" if alike else ""


def _value(path: Path, name: str, value: object) -> str | float | bool:
    types, words = _KINDS[name]
    match value:
        case str() if not value.isprintable():
            pass
        case str() if name == "wallet":
            # As the file says it, wherever the command is run.
            return str(path.parent / os.path.expanduser(value))  # noqa: PTH111 - home may be unknown
        case str() | bool() | int() | float() if type(value) in types:
            return value
        case list() if list in types:
            numbers = cast("list[object]", value)
            if all(type(one) in {int, float} for one in numbers):
                return ",".join(map(str, numbers))
        case _:
            pass
    raise _refused(path, f"defaults.{name} is {words}")
