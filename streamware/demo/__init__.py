"""What does `python -m streamware demo` do?  Makes a table, serves it, measures the downloads.

It needs the extra `demo`.
"""
