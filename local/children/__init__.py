"""Start, watch and stop child processes, and the signals that end this program."""
