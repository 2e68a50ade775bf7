"""Fixtures for pytest that come with the package: ``dcl_realm``, ``dcl_peer``, ``dcl_wallet``, ``dcl_livekit``.

Loaded with every run of pytest, so it imports nothing of ours before a fixture is asked for.  See docs/testing.md.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from dcl_comms_drivers.connection.waiting import Connecting
    from dcl_comms_drivers.realm.embedded import RealmInThread
    from dcl_comms_drivers.realm.livekit_server import LiveKitServer
    from dcl_comms_drivers.wallet.wallets import DisposableWallet

__all__ = ["dcl_livekit", "dcl_peer", "dcl_realm", "dcl_wallet", "pytest_addoption", "pytest_configure"]

_MARK = (
    "dcl_realm(livekit=None, hosts=(), origins=(), **settings): how the realm of dcl_realm is; hosts and origins are "
    "EmbeddedRealm's, settings RealmSettings's."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """What has to be asked for."""
    help_ = "a livekit-server that is nowhere is downloaded and compiled for dcl_livekit, once, for minutes"
    parser.getgroup("dcl-comms").addoption("--dcl-build", action="store_true", help=help_)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARK)


@pytest.fixture(scope="session")
def dcl_livekit(pytestconfig: pytest.Config) -> Generator[LiveKitServer]:
    """A private livekit-server, one for the session.

    Skips where there is none, as it is built with ``pytest --dcl-build`` only; fails where REQUIRE_LIVEKIT=1.
    """
    from dcl_comms_drivers.realm.livekit_server import LiveKitServer, ServerUnavailable  # noqa: PLC0415 - see above

    try:
        server = LiveKitServer.start(build=bool(pytestconfig.getoption("--dcl-build")))
    except ServerUnavailable as error:
        if os.environ.get("REQUIRE_LIVEKIT") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def dcl_realm(request: pytest.FixtureRequest) -> Generator[RealmInThread]:
    """A realm on loopback, a new one for each test; ``dcl_realm.url`` is what to connect to.

    Its rooms are LiveKit's, for packets, where ``dcl_comms_rtc`` is installed, else ws-rooms, which
    ``@pytest.mark.dcl_realm(livekit=False)`` asks for; ``livekit=True``: those of ``dcl_livekit``.  Islands come from
    Pulse, or as ``islands="heartbeats"`` of the mark says, and are settled ten times a second, unless the mark says
    otherwise.
    """
    from dataclasses import replace  # noqa: PLC0415 - see above

    from dcl_comms_drivers.realm.embedded import RealmSettings, realm_in_thread  # noqa: PLC0415 - see above

    mark = request.node.get_closest_marker("dcl_realm")
    quick = {"flush_seconds": 0.1, "pulse": replace(RealmSettings().pulse, pass_seconds=0.1)}
    settings: dict[str, Any] = quick | (dict(mark.kwargs) if mark is not None else {})
    livekit = settings.pop("livekit", None)
    livekit = request.getfixturevalue("dcl_livekit") if livekit else livekit
    gate = {name: settings.pop(name) for name in ("hosts", "origins") if name in settings}
    with realm_in_thread(livekit=livekit, **gate, settings=RealmSettings(**settings)) as realm:
        yield realm


@pytest.fixture
def dcl_peer(dcl_realm: RealmInThread) -> Callable[..., Connecting]:
    """Somebody else in the realm of ``dcl_realm``, on whichever loop runs.

    ``async with dcl_peer() as alice:``.  Takes the settings of ``connect``; its wallet is a new one unless they say
    otherwise.
    """
    from dcl_comms_drivers.wallet.wallets import DisposableWallet  # noqa: PLC0415 - as there

    def peer(**settings: Any) -> Connecting:
        settings = {"wallet": DisposableWallet()} | settings
        return _connect_here()(dcl_realm.url, **settings)

    return peer


def _connect_here() -> Callable[..., Connecting]:
    """``connect`` of the loop that runs."""
    import asyncio  # noqa: PLC0415 - see above

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        from dcl_comms_drivers import trio as on_trio  # noqa: PLC0415 - see above

        return on_trio.connect
    from dcl_comms_drivers import asyncio as on_asyncio  # noqa: PLC0415 - see above

    return on_asyncio.connect


@pytest.fixture
def dcl_wallet() -> DisposableWallet:
    """A wallet that nobody knows, a new one for each test."""
    from dcl_comms_drivers.wallet.wallets import DisposableWallet  # noqa: PLC0415 - see above

    return DisposableWallet()
