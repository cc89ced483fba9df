"""Run Parley and its servers on one machine.

`python3 local/bootstrap.py COMMAND` (called by `make demo`, `make test`, `make check` and
`make bench`) creates the virtual environment and executes `python -m local COMMAND` in it.

    bootstrap, install         create the virtual environment
    commands                   demo, throwaway servers, checks
    servers                    PostgreSQL, Valkey, the models and Parley's own processes, their
                               ports and wheels
    children                   start, watch and stop child processes, adopt those that they leave
                               behind, signals; PostgreSQL's system user
    state                      state directory and locks
    console, errors            terminal output, failures
"""
