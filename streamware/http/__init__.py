"""Exports over HTTP: what is asked for, what is answered, and how the bytes get there."""
