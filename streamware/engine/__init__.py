"""What turns rows into the chunks of a document: who pulls them, on which thread, until when?

`sync` has `encode`, `aio` has `aencode`, `saving` has `save` and `asave`; their options are in
`options`.  A `driver` pulls rows and feeds the `document`; beside an event loop the `async_driver`
has a thread of `worker` do that, and `turns` lets two exports at a time.  `lifecycle` has the
states of a document, `deadline` interrupts a pull, and a `deferred_file` is written once encoding
has paused.
"""
