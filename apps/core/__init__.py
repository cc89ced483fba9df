"""What every app stands on: ids, errors and their wire shape, health, logging. Imports no app."""
