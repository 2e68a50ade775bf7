"""``dcl-comms profile``."""

from __future__ import annotations

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_core.peers import PeerId
from dcl_comms_station.configuring.using import complete_target
from dcl_comms_station.forms import dump
from dcl_comms_station.helping import TARGET, below
from dcl_comms_station.options import Visit, visiting
from dcl_comms_station.terminal import put

__all__ = ["profile"]


def _read_address(_context: click.Context, _argument: click.Parameter, text: str) -> str:
    """BadParameter: it is none."""
    address = PeerId(text).address
    if address is None:
        raise click.BadParameter(f"{text!r} is no address: 0x and 40 hex digits")
    return address


@click.command(
    epilog=below(
        "dcl-comms profile 0x7c60eac58dcedb297746ce1ead1a541f3ac2aaaa main",
        "dcl-comms profile 0x7c60eac58dcedb297746ce1ead1a541f3ac2aaaa http://127.0.0.1:8000 --json",
        about=TARGET,
    ),
    short_help="Say who an address is.",
)
@click.argument("address", callback=_read_address)
@click.argument("target", required=False, shell_complete=complete_target)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@visiting()
def profile(
    *,
    visit: Visit,
    address: str,
    target: str | None,
    as_json: bool,
) -> None:
    """Print who ADDRESS is, as the realm of TARGET says, or else a peer of that address that is there.

    The exit code is 3 where nobody says so.
    """
    from dcl_comms_station.looking.person import describe_person, find_person, plain_person  # noqa: PLC0415

    person = visit.run(
        target, lambda on, where, me: find_person(on, where, address, patience=visit.patience, visitor=me)
    )
    if as_json:
        put(dump(plain_person(person)))
    else:
        put(*describe_person(person))
