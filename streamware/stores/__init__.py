"""Where does a document go that no request waits for: a file, a folder, an object store?

`remote` has `Remote`, the target of `save` with its options, and `opening` makes a `Store` of a
URL, a folder or a store of obstore.  `store` says what every store can do; `folder` does it with
files, `bucket` by obstore, which is imported when it is first used.  `new_file` writes a file that
has no name before it is whole, and `upload` an object that is not there before it is whole.
"""
