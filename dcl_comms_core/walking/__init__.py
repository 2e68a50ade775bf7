"""Walking: to a place or a peer, after somebody, at explorers' speeds; a machine beside a session, without IO."""
