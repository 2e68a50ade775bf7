"""Drivers of dcl-comms: they move bytes and time between the pure core and a loop, and decide nothing.

``dcl_comms_drivers.asyncio`` and ``dcl_comms_drivers.trio`` have the same names and behaviour;
``dcl_comms_drivers.polled`` serves any other loop.
"""
