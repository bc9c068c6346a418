"""What drives rows into bytes?  The loops, their threads and their clocks."""
