"""Who lives in a realm of ``dcl-comms realm --bots N``: somebody to see and to try things with.

``lively`` is what one of them does, ``humming`` what the first one does too where there is sound, ``village`` who they
are together, and their life beside the realm.  ``tone`` makes a sound, and measures one.
"""
