"""`make run`: everything that Tiebreak is made of, started in order, watched, and stopped in order."""
