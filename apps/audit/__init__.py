"""An append-only log of who did what, when and from where, in each workspace and by staff."""
