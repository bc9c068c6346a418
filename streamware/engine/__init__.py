"""What turns rows into the chunks of a document: who pulls them, on which thread, until when?"""
