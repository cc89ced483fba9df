"""Knowledge in a turn: search for passages before the model is asked, and show them to it."""
