"""What judges are asked and how their answers are read."""
