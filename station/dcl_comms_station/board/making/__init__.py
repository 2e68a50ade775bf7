"""Packets taken apart and made: which bytes are which field, and bytes of what a page fills in."""
