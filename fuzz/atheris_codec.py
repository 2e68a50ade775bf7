"""The checks of run.py, driven by coverage: Atheris (libFuzzer) chooses the bytes.

    pip install atheris            # CPython up to 3.13, Linux or macOS; the extra group "atheris"
    python fuzz/atheris_codec.py -max_total_time=60 [any option of libFuzzer] [FOLDER of inputs]

The first byte selects the message class, the rest is the message.  Without a folder it starts from corpus/, in a
temporary one.  A failure is written to corpus/ as run.py does, and ends the run.  Only the Python code is instrumented;
the native codec is compared with it on every input.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

try:
    import atheris
except ImportError:
    sys.exit("fuzz/atheris_codec.py needs Atheris: pip install atheris")

with atheris.instrument_imports(include=["dcl_comms_core.codec"]):
    from dcl_comms_core.proto import rfc4

from fuzz.check import check
from fuzz.generate import TARGETS
from fuzz.run import keep, load

CLASSES = (rfc4.Packet, *(cls for cls in TARGETS if cls is not rfc4.Packet))


def one_input(data: bytes) -> None:
    if not data:
        return
    # A Packet for half of the selectors.
    cls = CLASSES[data[0] % len(CLASSES)] if data[0] & 128 else rfc4.Packet
    try:
        check(cls, data[1:])
    except Exception:
        print(f"kept as {keep(cls, data[1:])}", flush=True)
        raise


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="atheris-") as scratch:
        folder = Path(scratch)
        for name, cls, data in load():
            selector = 0 if cls is rfc4.Packet else 128 + (CLASSES.index(cls) - 128) % len(CLASSES)
            (folder / name).write_bytes(bytes([selector]) + data)
        options = [argument for argument in sys.argv[1:] if argument.startswith("-")]
        folders = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
        atheris.Setup([sys.argv[0], *options, *folders, str(folder)], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
