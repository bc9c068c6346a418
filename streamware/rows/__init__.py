"""How do rows come in?  They are opened, pulled in batches and arranged in columns."""
