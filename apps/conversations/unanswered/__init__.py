"""Questions that were not answered: nothing was found for them, or the answer was rated down."""
