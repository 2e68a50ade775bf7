"""Events as data: plain values for JSON and back, the schema of these, and filters over them."""
