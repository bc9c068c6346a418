"""How does an export become an HTTP response?  It is negotiated, delivered, and always ended.

`export` and `bundle` are an `application`, which answers a `request` by `wsgi` or `asgi`.  The
answer has a format and language by `negotiation`, `headers` and perhaps a `coding`.  `delivery` has
what both interfaces share; a document may be `spooled` or `buffered`, and `admission` bounds how
many run at once.

A client may have a document already, or a part of it.  Its `state`, which the application names,
makes an `entity_tag`; `conditional` decides by it what the client still needs, and `beginnings`
knows what it was sent.

The client may leave or stall: under ASGI `disconnect` and `stalls` notice, under WSGI `watchdog`;
both use `sending`, and `connection` for the socket.  Something between may hide a failure:
`transport` knows which servers do, `relay` reaches through Starlette's middlewares.  `hints` are
for views that return an export where the framework takes none.
"""
