"""``python -m dcl_comms_station``: the same as ``dcl-comms``."""

from __future__ import annotations

import sys

from dcl_comms_station.entry import main

if __name__ == "__main__":
    sys.exit(main())
