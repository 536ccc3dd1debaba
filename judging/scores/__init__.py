"""What judges are worth under a policy: gold, measures, intervals, the leaderboard."""
