"""Pulse: the service that tells where everybody is, and forms the islands of Genesis City; without IO."""
