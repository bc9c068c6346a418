"""What do the framework modules share?  Bodies, streams, options and headers of a response."""
