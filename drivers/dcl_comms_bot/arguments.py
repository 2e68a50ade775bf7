"""What a command takes, as its function says: words of a chat line become typed arguments."""

from __future__ import annotations

import types
from dataclasses import dataclass
from enum import Enum
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin

from dcl_comms_core.errors import CommsError, LocalProtocolError
from dcl_comms_core.peers import PeerId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Arguments", "BadArgument"]

_YES: Final = frozenset({"yes", "y", "true", "on", "1"})
_NO: Final = frozenset({"no", "n", "false", "off", "0"})


class BadArgument(CommsError, ValueError):
    """What somebody wrote is not what the command takes.  Its text is for them."""


@dataclass(frozen=True, slots=True)
class _Place:
    """One argument of a command."""

    name: str
    kind: Any
    """Its annotation."""
    needed: bool
    rest: bool
    """It takes all words that are left: ``*words`` one by one, a keyword-only text as it was written."""
    as_text: bool

    def __str__(self) -> str:
        name = f"{self.name}..." if self.rest else self.name
        return f"<{name}>" if self.needed else f"[{name}]"


class Arguments:
    """Of one function, whose first argument is the Context.  LocalProtocolError: it can't be called with words."""

    def __init__(self, function: Callable[..., object]) -> None:
        parameters = list(signature(function, eval_str=True).parameters.values())
        if not parameters or parameters[0].kind not in {Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD}:
            msg = f"{function.__qualname__}() takes a Context first, and then what people write"
            raise LocalProtocolError(msg)
        self._places = [_place(one) for one in parameters[1:]]
        if any(place.as_text for place in self._places[:-1]):
            msg = f"{function.__qualname__}(): only the last argument can take the rest of the line"
            raise LocalProtocolError(msg)

    def __str__(self) -> str:
        return " ".join(map(str, self._places))

    def read(self, line: str) -> tuple[list[Any], dict[str, Any]]:
        """What to call the function with, after the Context.  BadArgument: the line has something else."""
        values: list[Any] = []
        named: dict[str, Any] = {}
        left = line.strip()
        for place in self._places:
            if place.as_text:
                if left:
                    named[place.name] = _converted(left, place)
                elif place.needed:
                    raise BadArgument(f"{place.name} is missing")
                return values, named
            if place.rest:
                return [*values, *(_converted(word, place) for word in _words(left))], named
            if left:
                word, left = _first(left)
                values.append(_converted(word, place))
            elif place.needed:
                raise BadArgument(f"{place.name} is missing")
        if left:
            raise BadArgument(f"too much: {left[:40]}")
        return values, named


def _place(parameter: Parameter) -> _Place:
    kind = str if parameter.annotation is Parameter.empty else parameter.annotation
    rest = parameter.kind is Parameter.VAR_POSITIONAL
    as_text = parameter.kind is Parameter.KEYWORD_ONLY
    return _Place(parameter.name, kind, not rest and parameter.default is Parameter.empty, rest or as_text, as_text)


def _words(text: str) -> Iterator[str]:
    while text:
        word, text = _first(text)
        yield word


def _first(text: str) -> tuple[str, str]:
    """The first word, in quotes or not, and what is left."""
    if text[0] in "\"'" and (end := text.find(text[0], 1)) > 0:
        return text[1:end], text[end + 1 :].lstrip()
    word, _, left = text.partition(" ")
    return word, left.lstrip()


def _converted(word: str, place: _Place) -> Any:
    try:
        return _of_kind(word, place.kind)
    except BadArgument as error:
        raise BadArgument(f"{place.name}: {error}") from None


def _of_kind(word: str, kind: Any) -> Any:
    if get_origin(kind) in {Union, types.UnionType}:
        return _of_any(word, [one for one in get_args(kind) if one is not type(None)])
    if get_origin(kind) is Literal:
        choices = {str(one).lower(): one for one in get_args(kind)}
        return _chosen(word, choices)
    if _is_enum(kind):
        return _chosen(word, {one.name.lower(): one for one in kind})
    if kind is bool:
        return _chosen(word, dict.fromkeys(_YES, True) | dict.fromkeys(_NO, False), told="yes or no")
    if kind is str:
        return word
    parse = getattr(kind, "parse", kind)
    try:
        return PeerId(word) if kind is PeerId else parse(word)
    except (ValueError, KeyError, TypeError, ArithmeticError) as error:
        told = f" ({error})" if hasattr(kind, "parse") and str(error) else ""
        raise BadArgument(f"{word[:40]!r} is no {getattr(kind, '__name__', kind)}{told}") from None


def _is_enum(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _of_any(word: str, kinds: list[Any]) -> Any:
    for kind in kinds[:-1]:
        try:
            return _of_kind(word, kind)
        except BadArgument:
            continue
    return _of_kind(word, kinds[-1])


def _chosen(word: str, choices: dict[str, Any], told: str = "") -> Any:
    if word.lower() not in choices:
        raise BadArgument(f"{word[:40]!r} is none of {told or ', '.join(choices)}")
    return choices[word.lower()]
