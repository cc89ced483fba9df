"""PostgreSQL, Valkey, the language models and Parley's own processes on one machine."""
