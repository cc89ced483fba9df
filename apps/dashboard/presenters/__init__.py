"""How the pages show things: rows, texts and diffs computed from models, without HTML."""
