"""The demo, behind `python -m streamware demo`; needs the extra `demo`."""
