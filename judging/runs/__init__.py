"""Runs of judges: starting them, what they would cost, how they stand, who works at them."""
