"""What do the framework modules share?  Bodies, streams, options and headers of a response.

`download` and `adownload` are bodies that a framework iterates, the latter by a `response_stream`.
`options` are those of every response, and `with_headers` adds a response's headers to an
application.  `flask_contexts` and `view_context` keep for the rows what a view of Flask or Django
had.  `admin_columns`, `admin_texts` and `admin_templates` are what Django's admin shows.
"""
