"""Benchmarks. They print ratios from one run and are never timed tests: `make bench` or `python -m bench`."""
