"""How does an export become an HTTP response?  It is negotiated, delivered, and always ended."""
