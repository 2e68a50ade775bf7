"""Avatars: how people look and are called, what a realm's lambdas say of them, and the emotes that all of them have."""
