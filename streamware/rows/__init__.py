"""How do rows come in?  They are opened, pulled in batches and arranged in columns.

`source` opens them, after `adoption` has replaced what an ORM would read into memory.  `tables`
come by `arrow`, `frame` or `array`, all by `slicing`, and asynchronous rows by `async_rows`.
`batching` pulls as many as memory allows, which `weighing` estimates.  `grouping` sorts rows into
several sheets; `table` numbers those of one, and `layout` finds their cells, with the columns that
a class has `declared` and what its objects have `held`.  `unloaded` says what to do about a cell
that cannot be read.
"""
