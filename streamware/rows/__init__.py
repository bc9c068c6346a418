"""How do rows come in?  Opened, pulled, counted into batches, laid out in columns."""
