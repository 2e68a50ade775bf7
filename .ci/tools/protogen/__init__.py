"""The parts of gen_proto.py: read the schema, write classes, write the fast codec paths."""
