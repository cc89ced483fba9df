"""Settings by place: `local` for one machine, `test` for the suite, `production` for customers."""
