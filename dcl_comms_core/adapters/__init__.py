"""Where to go: connection strings, tokens, /about, what a server's answer means, where a URL may lead."""
