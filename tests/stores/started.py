"""What obstore opens once in a process, opened before any test looks at what is left behind."""

import obstore
from obstore.store import MemoryStore


def started() -> None:
    """Start its runtime, which has descriptors of its own."""
    obstore.put(MemoryStore(), "started", b"")
