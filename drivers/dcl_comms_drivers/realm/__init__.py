"""The embedded realm: what a Decentraland realm offers, on loopback, for demos and tests."""
