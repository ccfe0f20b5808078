"""Other programs that do the same work, started privately, with the same ten rules."""
