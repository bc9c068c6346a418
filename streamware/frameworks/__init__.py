"""Where a framework wants a response class of its own, what is it?  One module a framework.

Each has an `ExportResponse`.
"""
