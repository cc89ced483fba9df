"""Getting in: signing up, the first workspace, choosing one, following an invitation."""
