"""LiveKit rooms for data over our own engine: the core's signalling, ``dcl_comms_rtc``, sockets of the loop."""
