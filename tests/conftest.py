"""What holds for every test: one Hypothesis profile, and fixtures for those that need a real livekit-server.

Hypothesis draws the same examples in every run, so that none passes or fails by luck; where DCL_SEARCH=1, as in the
nightly runs, it looks for others.  Where there is no livekit-server its tests skip with the reason; where
REQUIRE_LIVEKIT=1 they fail.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from dcl_comms_drivers.realm.livekit_server import LiveKitServer, ServerUnavailable
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_numbers = count(1)

settings.register_profile(
    "ours",
    deadline=None,
    derandomize=not os.environ.get("DCL_SEARCH"),
    # The machines are slow and shared; a test that really is slow meets its time limit.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ours")

# Whoever is started in the background of a script is told to ignore Ctrl-C, and hands that on to its children.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class RoomOnServer:
    """A room that no other test uses, on the session's server."""

    server: LiveKitServer
    name: str

    @property
    def url(self) -> str:
        return self.server.url

    def token(self, identity: str, **claims: object) -> str:
        return self.server.token(identity, self.name, **claims)  # type: ignore[arg-type]  # the callee's keywords

    def connection_string(self, identity: str, **claims: object) -> str:
        return self.server.connection_string(identity, self.name, **claims)  # type: ignore[arg-type]  # likewise

    def empties(self, timeout: float = 40.0) -> bool:
        """Wait until nobody is there.  A busy server may miss a leaving, and notices within some 20 s: docs/faults.md."""
        end = time.monotonic() + timeout
        while self.server.list_participants(self.name):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True


def start_livekit_server(**settings: Any) -> LiveKitServer:
    """Start a private server, or skip, or fail where one is required."""
    try:
        return LiveKitServer.start(build=False, **settings)
    except ServerUnavailable as error:
        if os.environ.get("REQUIRE_LIVEKIT") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


_SDK_BY_DAY = ("test_opening_tells", "test_what_was_accepted")
"""Parts of the contract that show that the SDK's link works on trio and polled too; the rest there is for the night."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
        if params.get("targets") != "sdk" or item.name.startswith(_SDK_BY_DAY):
            continue
        if params["kit"] != "asyncio" or params.get("to", "everyone") != "everyone":
            item.add_marker(pytest.mark.nightly)


@pytest.fixture(scope="session")
def livekit_server() -> Iterator[LiveKitServer]:
    """The session's server.  Tests that kill a server start their own."""
    with start_livekit_server() as server:
        yield server


@pytest.fixture
def private_livekit_server() -> Iterator[LiveKitServer]:
    """A server for one test, which may kill it."""
    with start_livekit_server() as server:
        yield server


@pytest.fixture(params=["engine", "rtc", pytest.param("sdk", marks=pytest.mark.nightly)])
def each_link(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Players use this link, one after the other."""
    from dcl_comms_drivers.livekit.sdk.link import SdkLink
    from rigs.drivers.livekit import Player, rtc_link

    if request.param == "sdk":
        monkeypatch.setattr(Player, "make", SdkLink)
    made = []
    if request.param == "rtc":
        request.getfixturevalue("rtc")
        monkeypatch.setattr(Player, "make", lambda wake: made.append(rtc_link(wake)) or made[-1])
    yield request.param
    for link in made:
        link.abandon()


OF_THE_PACKAGE = pytest.mark.parametrize(
    "each_link", ["engine", pytest.param("sdk", marks=pytest.mark.nightly)], indirect=True
)
"""For what the livekit package alone can do: sound, pictures; or does in its own way."""


@pytest.fixture
def rtc() -> None:
    """Skip where our own engine is not installed, or fail where REQUIRE_RTC=1."""
    if find_spec("dcl_comms_rtc") is None:
        missing = "dcl_comms_rtc is not installed: make rtc"
        (pytest.fail if os.environ.get("REQUIRE_RTC") else pytest.skip)(missing)


@pytest.fixture(params=["livekit", "rtc"])
def each_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What carries LiveKit's rooms, one after the other, also those of programs that the test starts."""
    if request.param == "rtc":
        request.getfixturevalue("rtc")
    monkeypatch.setenv("DCL_COMMS_ENGINE", request.param)
    return request.param


EACH_ENGINE = pytest.mark.usefixtures("each_engine")
_OURS_AT_NIGHT = pytest.param("rtc", marks=pytest.mark.nightly)
OURS_AT_NIGHT = pytest.mark.parametrize("each_engine", ["livekit", _OURS_AT_NIGHT], indirect=True)
"""For what takes long, and differs little between the two."""


@pytest.fixture
def livekit_room(livekit_server: LiveKitServer) -> Callable[[], RoomOnServer]:
    """Make a room of its own with each call."""
    return lambda: RoomOnServer(livekit_server, f"room-{os.getpid()}-{next(_numbers)}")
