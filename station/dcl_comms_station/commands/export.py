"""``dcl-comms export``."""

from __future__ import annotations

from pathlib import Path

from dcl_comms_drivers.extras import needs

with needs("cli"):
    import click

from dcl_comms_station.helping import below
from dcl_comms_station.options import filter_option
from dcl_comms_station.terminal import complain, put

__all__ = ["export"]


@click.command(
    epilog=below(
        "dcl-comms export evening.mcap --ndjson > evening.ndjson",
        "dcl-comms export evening.mcap --csv --filter 'kind:chat' > chat.csv",
        "dcl-comms export evening.mcap --ndjson --redact --filter 'kind:peer_moved' > ways.ndjson",
    ),
    short_help="A recording as lines of JSON or as a table.",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--ndjson", "form", flag_value="ndjson", default=True, help="JSON, one object a line, ASCII only.")
@click.option("--csv", "form", flag_value="csv", help="A table with a head, a line for each packet and event.")
@filter_option
@click.option(
    "--redact", is_flag=True, help="People and texts are replaced by words like person-3 and text-7; bytes go."
)
def export(*, file: Path, form: str, filter_text: str | None, redact: bool) -> None:
    """Print what is in the recording FILE: packets both ways, events, and where something is missing.

    Recordings hold other people's words and ways: --redact what you pass on.
    """
    from dcl_comms_station.recording import open_recording  # noqa: PLC0415 - an extra of its own
    from dcl_comms_station.recording.export import csv_lines, ndjson_lines, plain_rows  # noqa: PLC0415 - likewise

    with open_recording(file) as recorded:
        rows = plain_rows(recorded, shown=filter_text, redact=redact)
        for line in csv_lines(rows) if form == "csv" else ndjson_lines(rows):
            put(line)
        if recorded.notice:
            complain(f"{recorded.notice}; dcl-comms recover {file} makes a whole copy")
        if recorded.unread:
            complain(f"{recorded.unread} messages are of a newer version, and were not read")
