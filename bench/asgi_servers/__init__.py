"""Compare ASGI servers (granian, uvicorn, daphne) for a streaming chat service.

Run from the repository's root, with this project's Python as the load client::

    python -m bench.asgi_servers --python PATH [--rounds 5] [--only SPEED|BEHAVIOUR] [--json FILE]

PATH is the Python of an environment that holds django, granian, uvicorn[standard], daphne and
uvloop. Servers listen on 127.0.0.1 only, one at a time. The speed rounds are interleaved, so that
noise on the machine affects all servers. The ratios are more reliable than the absolute figures.
"""
