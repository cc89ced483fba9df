"""Run Parley and its servers on one machine.

`python3 local/bootstrap.py COMMAND` (called by `make demo`, `make test`, `make check` and
`make bench`) creates the virtual environment and executes `python -m local COMMAND` in it.

    bootstrap, install         create the virtual environment
    supervisor, processes      start, watch and stop child processes; stop orphans of a killed run
    subreaper                  adopt and kill processes that the children left behind
    interrupts, console        signals and terminal output
    postgres, valkey, model    one embedded server each
    services                   start the servers that the environment does not name
    web                        command lines of Parley's own processes
    state, server_user, ports  state directory and locks, PostgreSQL's system user, free ports
    wheels                     files and versions of the servers' wheels
    demo, throwaway, checks    the commands
    chat_client                a small HTTP client for the demo's sample chat
"""
