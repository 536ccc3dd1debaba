"""The review desk: which pairs are shown, in which order, and one pair side by side."""
