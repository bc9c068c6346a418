"""How does an export run later, elsewhere, and how is it asked for?

`jobs` has `Jobs`, which applications use.  `definitions` knows by which names and arguments exports
are made.  `record` says what is known of a job, and which states follow each other; `records` keeps
that in a database (`database`, `layout`), where every change of state is one compare-and-set.
`run` makes the document of a job and writes it to the store; `control` holds its lease meanwhile.
`runner` runs jobs on threads of this process, if the application has no workers.  `sweep` removes
what has expired, and what dead workers left.

Over HTTP, `application` answers with the status and the file of a job, and `started` the request
that starts it; `status` is the JSON and `page` the page, in the `words` of the reader's language,
with the addresses in `links`; `file` is what is downloaded, and `preference` what a client would
like (`Prefer`).
"""
