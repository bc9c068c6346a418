"""What cleans up after a request?  The middlewares: scratch space around a whole application."""
