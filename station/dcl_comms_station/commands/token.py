"""``dcl-comms token``."""

from __future__ import annotations

import time

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.configuring.using import complete_target
from dcl_comms_station.exits import Exit
from dcl_comms_station.forms import dump
from dcl_comms_station.helping import TOKEN_TARGET, below
from dcl_comms_station.targets import find_target
from dcl_comms_station.terminal import put
from dcl_comms_station.tokens import describe_token, plain_token, read_token, refusal

__all__ = ["token"]


@click.command(
    epilog=below("dcl-comms token - < token.txt", "dcl-comms token - --check --json < token.txt", about=TOKEN_TARGET),
    short_help="Print what an access token claims.",
)
@click.argument("target", required=False, shell_complete=complete_target)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--check", is_flag=True, help="Exit with 3 if a server would refuse this token now.")
def token(*, target: str | None, as_json: bool, check: bool) -> int:
    """Print what an access token claims; never the token or its signature."""
    parsed = read_token(find_target(target))
    now = time.time()
    if as_json:
        put(dump(plain_token(parsed, now)))
    else:
        put(*describe_token(parsed, now))
    return Exit.REFUSED if check and refusal(parsed, now) is not None else Exit.OK
