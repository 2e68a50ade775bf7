"""What can go wrong with the LiveKit engine itself, and how its texts are made safe to show."""

from __future__ import annotations

from enum import Enum

from dcl_comms_core.errors import CommsError
from dcl_comms_core.printable import clean
from dcl_comms_core.tools.secrets import without_tokens

__all__ = ["EngineProblem", "EngineUnavailable", "redact"]


class EngineProblem(Enum):
    """Why the LiveKit engine can't be used."""

    NOT_INSTALLED = "the livekit package is not installed"
    NO_RTC = "our own engine, dcl_comms_rtc, is not installed"
    OLD_RTC = "our own engine, dcl_comms_rtc, is older than this library"
    RTC_NOT_LOADED = "our own engine, dcl_comms_rtc, could not be loaded"
    UNKNOWN_WHEEL = "this version of the livekit package is not known to work"
    NOT_LOADED = "the native library of the livekit package could not be loaded"
    NO_CALLBACK = "the callback that was asked for is not there"
    GREENLETS = "threads are gevent's greenlets in this process"
    FORKED = "this process was forked after the LiveKit engine had started"
    STOPPED = "the LiveKit engine has stopped"


class EngineUnavailable(CommsError):
    """The LiveKit engine can't be used in this process.  ``problem`` says why; ``detail`` is for people."""

    def __init__(self, problem: EngineProblem, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem = problem
        self.detail = detail

    def __str__(self) -> str:
        return clean(f"{self.problem.value}: {self.detail}" if self.detail else self.problem.value)


def redact(text: str, token: str = "") -> str:
    """Return a text of the engine or of a server without the access tokens that they like to repeat.

    Whatever looks like a JWT goes, and ``token`` itself where it is known.
    """
    if token:
        text = text.replace(token, "***")
    return without_tokens(text)
