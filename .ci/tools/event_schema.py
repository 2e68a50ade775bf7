"""The JSON schema of events: ``dcl_comms_core/records/events.schema.json``, made from the events' classes.

``python .ci/tools/event_schema.py [--check]``
"""

from __future__ import annotations

import json

from generated import ROOT, keep

from dcl_comms_core.records.forms import event_schema

FILE = ROOT / "dcl_comms_core" / "records" / "events.schema.json"

if __name__ == "__main__":
    keep(FILE, json.dumps(event_schema(), indent=1) + "\n")
