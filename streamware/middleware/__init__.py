"""The middlewares: they own the scratch of a request, from before its application to its end."""
