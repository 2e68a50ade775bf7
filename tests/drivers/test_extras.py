"""Each extra that is not installed is named, with what installs it, by whatever needs it first; nothing is left running."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from dcl_comms_drivers.extras import ExtraMissing, needs

from dcl_comms_core import LocalProtocolError

PROGRAM = """
import sys, threading

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Nowhere())
WHERE = "https://realm.example/main"

def on_asyncio():
    import asyncio
    from dcl_comms_drivers.asyncio import connect
    from dcl_comms_drivers.wallet import DisposableWallet
    async def main(target):
        async with connect(target, wallet=DisposableWallet()):
            pass
    return lambda target=WHERE: asyncio.run(main(target))

def on_trio():
    import trio
    from dcl_comms_drivers.trio import connect
    from dcl_comms_drivers.wallet import DisposableWallet
    async def main(target):
        async with connect(target, wallet=DisposableWallet()):
            pass
    return lambda target=WHERE: trio.run(main, target)

def on_polled():
    from dcl_comms_drivers import polled
    from dcl_comms_drivers.wallet import DisposableWallet
    return lambda target=WHERE: polled.open(target, wallet=DisposableWallet())

def fetch_on_asyncio():
    import asyncio
    from dcl_comms_core import Fetch
    from dcl_comms_drivers.asyncio import fetch
    return lambda: asyncio.run(fetch(Fetch(url=WHERE)))

def fetch_on_trio():
    import trio
    from dcl_comms_core import Fetch
    from dcl_comms_drivers.trio import fetch
    return lambda: trio.run(fetch, Fetch(url=WHERE))

def a_realm():
    import dcl_comms_drivers.realm.embedded

def a_wallet():
    import dcl_comms_drivers.wallet

def run_bot_on_trio():
    from dcl_comms_drivers.testing.run import run_bot
    async def bot(room):
        pass
    run_bot(bot, script=[], backend="trio")

def over_the_sdk():
    from dcl_comms_drivers.livekit.errors import EngineUnavailable
    from dcl_comms_drivers.livekit.choice import LiveKitVia, open_livekit
    from dcl_comms_core import Limits
    try:
        open_livekit(print, LiveKitVia.SDK, falls_back=False, limits=Limits())
    except EngineUnavailable as error:
        print(error)
        print()

def trio_s_driver():
    import dcl_comms_drivers.trio

from dcl_comms_drivers.extras import ExtraMissing
try:
    {action}
except ExtraMissing as error:
    print(error.extra, error)
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    for thread in others:
        thread.join(40)  # one that has only just said that it is through
    print(*(thread.name for thread in others if thread.is_alive()))
"""
ROOM = "'ws-room:wss://realm.example/rooms/x'"


def run_without(missing: str, action: str) -> list[str]:
    program = PROGRAM.format(missing=missing, action=action)
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert not result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize("action", ["on_asyncio()()", "on_trio()()", "on_polled()()", f"on_asyncio()({ROOM})"])
@pytest.mark.parametrize("missing", ["h11", "websockets"])
def test_connect_names_the_extra_for_sockets_and_starts_nothing(missing: str, action: str) -> None:
    told, threads = run_without(missing, action)
    assert told == f'net {missing} is not installed: pip install "dcl-comms[net]"'
    assert not threads


@pytest.mark.parametrize(
    ("missing", "action", "extra"),
    [
        ("h11", "fetch_on_asyncio()()", "net"),
        ("h11", "fetch_on_trio()()", "net"),
        ("h11", "a_realm()", "realm"),
        ("websockets", "a_realm()", "realm"),
        ("coincurve", "a_wallet()", "wallet"),
        ("Crypto", "a_wallet()", "wallet"),
        ("trio", "trio_s_driver()", "trio"),
    ],
)
def test_whatever_needs_an_extra_names_it(missing: str, action: str, extra: str) -> None:
    told, threads = run_without(missing, action)
    assert told == f'{extra} {missing} is not installed: pip install "dcl-comms[{extra}]"'
    assert not threads


def test_the_error_is_misuse_and_a_failed_import_at_once() -> None:
    with pytest.raises(ExtraMissing) as caught, needs("net"):
        import no_such_module_at_all  # noqa: F401
    assert isinstance(caught.value, LocalProtocolError)
    assert isinstance(caught.value, ImportError)
    assert (caught.value.name, caught.value.extra) == ("no_such_module_at_all", "net")


def test_other_errors_of_an_import_are_let_through_as_they_are() -> None:
    with pytest.raises(ImportError) as caught, needs("net"):
        from sys import no_such_name  # noqa: F401
    assert not isinstance(caught.value, ExtraMissing)
    with pytest.raises(ExtraMissing) as inner, needs("realm"), needs("net"):
        raise ModuleNotFoundError("x", name="x")
    assert inner.value.extra == "net"


EVERY_MODULE = """
import importlib, pkgutil, sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[1]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nowhere())
from dcl_comms_core.errors import CommsError
typed = 0
for top in ("dcl_comms_core", "dcl_comms_drivers", "dcl_comms_station"):
    package = importlib.import_module(top)
    names = [top, *(module.name for module in pkgutil.walk_packages(package.__path__, top + ".", onerror=str))]
    for name in names:
        try:
            importlib.import_module(name)
        except CommsError as error:
            typed += 1
            assert sys.argv[2] in str(error) or "livekit" in name, (name, error)
        except ImportError as error:
            print(name, error)
print(typed)
"""


@pytest.mark.parametrize(
    ("missing", "advice"),
    [
        *(("h11", "dcl-comms["), ("websockets", "dcl-comms["), ("coincurve", "dcl-comms[wallet]")),
        *(("Crypto", "dcl-comms[wallet]"), ("trio", "dcl-comms["), ("hypothesis", "dcl-comms[testing]")),
        # The Station's server needs it too, and its extra has that of the commands in it.
        *(("click", "dcl-comms["), ("livekit", "dcl-comms[livekit]")),
    ],
)
def test_no_module_s_import_fails_without_saying_what_installs_it(missing: str, advice: str) -> None:
    program = [sys.executable, "-c", EVERY_MODULE, missing, advice]
    done = subprocess.run(program, check=True, capture_output=True, text=True, timeout=60)
    *bare, typed = done.stdout.splitlines()
    assert bare == []
    assert int(typed) > 0


def test_run_bot_on_trio_names_the_extra() -> None:
    told, _ = run_without("trio", "run_bot_on_trio()")
    assert told == 'trio trio is not installed: pip install "dcl-comms[trio]"'


def test_the_sdk_s_link_names_its_extra() -> None:
    told, _ = run_without("livekit", "over_the_sdk()")
    assert 'pip install "dcl-comms[livekit]"' in told


def test_the_extra_for_the_command_brings_what_its_commands_need() -> None:
    extras = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert {"livekit", "trio", "net", "wallet", "realm"} <= brought(extras["optional-dependencies"], "cli")
    assert {"h11", "websockets", "coincurve", "pycryptodome", "hypothesis"} <= brought(
        extras["optional-dependencies"], "testing"
    )


def brought(extras: dict[str, list[str]], name: str) -> set[str]:
    """The packages and extras that an extra brings."""
    found = set()
    for one in extras[name]:
        package, _, inner = one.partition("[")
        if package == "dcl-comms":
            for extra in inner.rstrip("]").split(","):
                found |= {extra} | brought(extras, extra)
        else:
            found.add(re.split(r"[><=]", package)[0])
    return found
