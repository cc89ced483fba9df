"""What the admin shows of several apps at once: its start page, a workspace in one view."""
