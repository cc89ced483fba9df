"""Chaos: seeded schedules of faults under load, and what must be true after each.

`make chaos SECONDS=600 SEED=1` runs schedules for that long on servers of its own; the suite runs
a few. A schedule is a workspace, callers for some seconds, and faults meanwhile: web processes, the
worker, PostgreSQL and Valkey are killed, restarted or frozen, and connections cut. Then everything
is brought back, the callers finish, the sweep runs, and `invariants` compares what the callers were
told with what is stored, charged and sent. A seed always gives the same schedule; what the faults
meet depends on the machine.

stack        the servers, and what can be done to them
schedules    which faults, when
callers      the load: ten callers, each with a `session`
http_calls, socket_calls, completion_calls   what they do, over which transport
turn_reader, chat_socket   one turn over several connections, several turns over one socket
record       what the callers were told
invariants   what must be true afterwards
"""
