"""Junk for dcl_comms_rtc, and seeds that play it."""
