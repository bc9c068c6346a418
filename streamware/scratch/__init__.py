"""Scratch: files that one request needs, and that are gone when it ends."""
