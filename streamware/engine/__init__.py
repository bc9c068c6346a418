"""How do rows become the chunks of a document: what pulls them, on which thread, until when?"""
