"""``dcl-comms doctor``."""

from __future__ import annotations

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.configuring.using import complete_target
from dcl_comms_station.helping import TARGET, below
from dcl_comms_station.options import Visit, visiting
from dcl_comms_station.terminal import put

__all__ = ["doctor"]


@click.command(
    epilog=below(
        "dcl-comms doctor https://realm-provider.decentraland.org/main",
        "dcl-comms doctor http://127.0.0.1:8000 --wallet bot.key --json",
        about=TARGET,
    ),
    short_help="Find out what keeps us out of a room.",
)
@click.argument("target", required=False, shell_complete=complete_target)
@click.option("--json", "as_json_", is_flag=True, help="JSON, one object a line, ASCII only.")
@visiting(scene=False, seconds=10.0, until="Seconds that each stage may take.")
def doctor(
    *,
    visit: Visit,
    target: str | None,
    as_json_: bool,
) -> int:
    """Time every step on the way into a room or a realm, and say what to do about the one that fails.

    The exit code is that of the first stage that failed.
    """
    from dcl_comms_station.doctor.examine import examine  # noqa: PLC0415 - for this command only
    from dcl_comms_station.doctor.findings import verdict  # noqa: PLC0415
    from dcl_comms_station.doctor.show import as_json, as_lines  # noqa: PLC0415

    form = as_json if as_json_ else as_lines
    findings = visit.run(
        target,
        lambda on, where, me: examine(
            on, where, lambda one: put(*form(one).split("\n")), seconds=visit.patience, visitor=me
        ),
    )
    return verdict(findings)
