"""Opening the page: by a file that only we may read, so that the token is in no process's arguments."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import webbrowser
from pathlib import Path
from typing import Final

__all__ = ["Doorway"]

_PAGE: Final = """<!doctype html><meta charset="utf-8"><title>Comms Station</title>
<script>location.replace({url})</script><noscript>Open the link that the terminal printed.</noscript>
"""


class Doorway:
    """The file, until somebody came through it."""

    def __init__(self, url: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="dcl-comms-"))
        self.path = self._folder / "open.html"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            # What ends a script stands in no JSON of ours.
            file.write(_PAGE.format(url=json.dumps(url)))

    def open(self) -> None:
        """Have the browser open it, in the background: some browsers keep who starts them waiting."""
        threading.Thread(target=webbrowser.open, args=(self.path.as_uri(),), daemon=True).start()

    def close(self) -> None:
        """Remove it; nothing where that is done."""
        shutil.rmtree(self._folder, ignore_errors=True)
