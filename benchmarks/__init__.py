"""Measurements, one question a file; run one as `python -m benchmarks.speed`."""
