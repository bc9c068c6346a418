"""Where do the temporary files of a request live, and what bounds and removes them?

`ledger` is the entry: a `Scratch` for each request.  `disk_quota` counts what a request and an
export hold, `process_budget` and `host_budget` what a process and a host hold.  `spool` and `ring`
keep bytes in memory and in files without a name; `named_files` are for libraries that need a path.
`pool` holds what requests share: the `directory` that is set, and the `process_directory` in it.
`background` removes large files on a thread, where a close would otherwise block an event loop.

Lock order.  While a thread holds one of these locks it may take only those that follow it:

1. `Ring`: held while its spools wait for the disk.
2. `Scratch`: held while a spool is opened, never while waiting for room.
3. `NamedFiles`: held while names are made and measured, never while waiting for room.
4. `Budget`: `take` waits on its condition, which releases it meanwhile.
5. `forks.opening`: holds off forks while a descriptor is opened.
6. `ProcessDirectory`.
7. `ScratchDirectory`.
8. `RequestQuota`, `ExportQuota`, `ScratchPool`, `Descriptor`: nothing is taken under them.

At any moment the garbage collector may close a spool or a ledger on any thread, and a signal
handler a spool.  So the locks that a close takes are re-entrant (5, 6, 8), belong to an object
that no other thread can reach any more (1 to 3), or are not waited for (4: `Budget.release` only
tries).

Forks.  `os.fork` waits up to a second for `opening`, so that a child seldom inherits a descriptor
that it does not know.  In the child, `forked` closes the descriptors and makes new locks for
`ScratchPool`, `ScratchDirectory`, `ProcessDirectory`, `Budget` and `Descriptor`.  `Scratch` and
its quotas, named files and spools belong to the parent: they check the process id before they
take a lock, and raise `StateError`.
"""
