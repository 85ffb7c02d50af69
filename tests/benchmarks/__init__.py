"""Measurements, run apart from the tests: `python -m tests.benchmarks`, or one by its name."""
