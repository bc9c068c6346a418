"""How do rows become the bytes of a format?  One module or folder for each format."""
