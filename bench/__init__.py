"""Benchmarks: `python -m bench [NAME …]`, each a module here with a `run`."""
