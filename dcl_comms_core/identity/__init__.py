"""Who we are: auth chains, a login, what may be signed and where, signed requests."""
