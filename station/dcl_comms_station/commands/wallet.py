"""``dcl-comms wallet new`` and ``wallet show``."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.exits import Exit, Failed
from dcl_comms_station.helping import below
from dcl_comms_station.terminal import put

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["wallet"]


@click.group(
    epilog=below("dcl-comms wallet new bot.key", "dcl-comms wallet show bot.key"),
    short_help="Make a key in a file, or say whose one is.",
)
def wallet() -> None:
    """Keys in files, for --wallet.  A key is never printed."""


@wallet.command(
    epilog=below("dcl-comms wallet new bot.key", "dcl-comms chat http://127.0.0.1:8000 --wallet bot.key"),
    short_help="Make a key, in a new file.",
)
@click.argument("file", type=click.Path(readable=False))
def new(*, file: str) -> None:
    """Make a new key, write it to FILE, which must not exist and gets mode 0600, and print its address.

    Whoever has the file is this wallet: keep it, and keep it to yourself.
    """
    from dcl_comms_drivers.wallet import DisposableWallet  # noqa: PLC0415 - the extra

    made = DisposableWallet()
    with _told_of(file, "written"):
        made.save(file)
    put(made.address)


@wallet.command(
    epilog=below("dcl-comms wallet show bot.key", "dcl-comms wallet show login.json"),
    short_help="Print the address of a key.",
)
@click.argument("file", type=click.Path(readable=False))
def show(*, file: str) -> None:
    """Print the address of the key, or of the login, in FILE."""
    from dcl_comms_drivers.wallet import load_wallet  # noqa: PLC0415 - the extra

    with _told_of(file, "read"):
        put(load_wallet(file).address)


@contextmanager
def _told_of(file: str, done: str) -> Generator[None]:
    """Failed(USAGE), with the file's name: it can't be read or written, or is not as it has to be."""
    from dcl_comms_drivers.wallet import KeyFileRefused  # noqa: PLC0415 - the extra

    try:
        yield
    except KeyFileRefused as error:
        raise Failed(Exit.USAGE, f"{file}: {error}") from None
    except OSError as error:
        raise Failed(Exit.USAGE, f"{file}: this file can't be {done}: {error.strerror}") from None
