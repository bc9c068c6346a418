"""What gives a request its scratch space, and removes it?  A middleware for WSGI, one for ASGI."""
