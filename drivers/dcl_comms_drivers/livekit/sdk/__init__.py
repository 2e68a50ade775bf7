"""LiveKit rooms over the official SDK's public names, ``livekit.rtc``.

Slower than the engine's link and good for any wheel: what is used where the wheel is not one that ``ffi`` knows, or
where it is asked for.  ``link`` carries one room for a session of the core, ``room`` is one attempt to be in one,
``thread`` is where the SDK lives.  Importing this package loads the SDK, or raises EngineUnavailable.
"""

from dcl_comms_drivers.livekit.errors import EngineProblem, EngineUnavailable

try:
    import livekit.rtc as _rtc
except ImportError:
    raise EngineUnavailable(EngineProblem.NOT_INSTALLED, 'pip install "dcl-comms[livekit]"') from None
del _rtc
