"""Which response does a framework want?  One module for each, with its `ExportResponse`."""
