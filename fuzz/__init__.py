"""Fuzzing the codec against protobuf's own runtime.  ``python fuzz/run.py --seconds 60``; see README.md here."""
