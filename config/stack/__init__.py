"""The embedded stack: the real servers the project needs, from Python wheels.

`python -m config.stack run -- COMMAND` starts PostgreSQL, Redis, S3 and the sandbox provider, runs COMMAND
with the environment that names them, and stops what it started. `up` and `demo` start the web, the workers
and beat as well.
"""
