"""Parley on one machine: its servers from wheels, its processes under one supervisor.

`python3 local/bootstrap.py COMMAND` (which `make demo`, `make test`, `make check` and `make bench`
call) makes the virtual environment and hands over to `python -m local COMMAND` inside it.

    bootstrap, install      the virtual environment
    supervisor, processes   children: start, watch, stop; the orphans of a killed run
    descendants             what the children themselves started and left
    interrupts, terminal    signals and output
    postgres, valkey, model one embedded server each
    services                the servers that a command needs, or the real ones of the environment
    web                     the command lines of Parley's own processes
    state, accounts, ports, wheels  folders and locks; users; free ports; what the wheels hold
    demo, chat, testing, checks   the commands
"""
