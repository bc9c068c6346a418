"""Which response does a framework want?  One module a framework, each with an `ExportResponse`."""
