"""What staff do to credits by hand: foreseen, posted once, above a threshold by two people."""
