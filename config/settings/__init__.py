"""Settings by environment: `local`, `test` and `production`, all on top of `base`."""
