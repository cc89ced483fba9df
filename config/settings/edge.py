"""Limits on what anybody may send or hold open, before it is known who they are."""

import environ

env = environ.Env()

# Requests

API_MAX_BODY_BYTES = 1024 * 1024
FORM_MAX_BODY_BYTES = 1024 * 1024
"""Bodies of the pages of workspaces and of the admin, with prompts and CSV files."""
PAGE_MAX_BODY_BYTES = 64 * 1024
"""Bodies sent to any other address."""
MAX_URL_BYTES = 8 * 1024

BODY_FIRST_SECONDS = env.float("BODY_FIRST_SECONDS", default=10.0)
"""How long a request may take to send the first byte of its body."""
BODY_MIN_BYTES_PER_SECOND = 1000
"""The pace, on average, at which a body must arrive after that."""
BODY_MAX_SECONDS = env.float("BODY_MAX_SECONDS", default=60.0)
BODY_SLOW_AFTER_SECONDS = env.float("BODY_SLOW_AFTER_SECONDS", default=2.0)
"""A body that is not complete by then counts for the two limits below."""
MAX_SLOW_BODIES_PER_CLIENT = env.int("MAX_SLOW_BODIES_PER_CLIENT", default=32)
MAX_SLOW_BODIES = env.int("MAX_SLOW_BODIES", default=512)
MAX_UNFINISHED_BODY_BYTES = 64 * 1024 * 1024
"""All bodies together that a web process holds while it waits for the rest of them."""

UPLOAD_MAX_SECONDS = env.float("UPLOAD_MAX_SECONDS", default=300.0)
"""How long a file may take to arrive: 20 MiB over a connection of 0.6 Mbit/s."""
MAX_UPLOADED_BYTES = env.int("MAX_UPLOADED_BYTES", default=512 * 1024 * 1024)
"""All uploads together that a web process holds on disk until they are served."""
UPLOADS_AT_ONCE = env.int("UPLOADS_AT_ONCE", default=2)
"""Uploads that a web process serves at once: each has its file in memory for a moment."""
UPLOADS_AT_ONCE_PER_CLIENT = 1
MAX_WAITING_UPLOADS_PER_CLIENT = 32
UPLOAD_WAIT_SECONDS = 30.0

REQUEST_THREADS = env.int("REQUEST_THREADS", default=32)
"""Requests outside the chat endpoints that a web process serves at once: about as many as it has
connections to the database, so that requests wait here, in turn by client, and not there."""
REQUEST_THREADS_PER_CLIENT = env.int("REQUEST_THREADS_PER_CLIENT", default=16)
REQUEST_WAIT_SECONDS = 10.0
"""How long a request waits for one of these threads before it is refused."""
MAX_WAITING_REQUESTS_PER_CLIENT = 256

SEND_SECONDS = env.float("SEND_SECONDS", default=60.0)
"""A client that takes too little of what is sent to it for this long is disconnected. A phone in a
tunnel comes back."""

# WebSockets and streams, in each web process

MAX_SOCKETS = env.int("MAX_SOCKETS", default=10_000)
MAX_SOCKETS_PER_CLIENT = env.int("MAX_SOCKETS_PER_CLIENT", default=2_000)
MAX_SOCKETS_PER_KEY = env.int("MAX_SOCKETS_PER_KEY", default=1_000)
"""Sockets of one API key, or of one signed-in person."""
MAX_OPENING_SOCKETS_PER_CLIENT = env.int("MAX_OPENING_SOCKETS_PER_CLIENT", default=256)
"""Sockets of one client that are not authenticated yet."""
SOCKET_AUTHENTICATION_SECONDS = 10.0
MAX_UNFINISHED_MESSAGE_BYTES = 64 * 1024 * 1024
"""All unfinished messages together that a web process holds."""

MAX_STREAMS_PER_KEY = env.int("MAX_STREAMS_PER_KEY", default=1_000)
"""Streams of one API key; beyond it no turn can be followed. Turns have limits of their own."""

MAX_WRONG_KEYS_PER_MINUTE = env.int("MAX_WRONG_KEYS_PER_MINUTE", default=300)
"""Requests of one client with API keys that do not work, in each web process."""

# Addresses of clients

TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
"""How many of our proxies are in front of a process: what they say of the client is trusted."""
TRUSTED_PROXY_HEADER = env.str("TRUSTED_PROXY_HEADER", default="")
"""The header in which they say it; by default X-Forwarded-For or, without it, Forwarded."""

# Passwords

PASSWORD_HASHES_AT_ONCE = env.int("PASSWORD_HASHES_AT_ONCE", default=4)
"""Passwords that a web process hashes at once: each takes 100 MB for a moment."""
PASSWORD_HASH_WAIT_SECONDS = 5.0
LOGIN_DELAY_SECONDS = 1.0
"""What an attempt to log in takes longer when there were many for the same account."""
