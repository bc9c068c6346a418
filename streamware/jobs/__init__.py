"""How does an export run later, elsewhere, and how is it asked for?

`record` has what is kept of a job.  Over HTTP, `application` answers with its status and its file,
and `started` the request that starts it; `status` is the JSON and `page` the page, in the `words`
of the reader's language, with the addresses in `links`; `file` is what is downloaded, and
`preference` what a client would like (`Prefer`).
"""
