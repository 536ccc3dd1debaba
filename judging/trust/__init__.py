"""How far a judge may be trusted: its threshold, temperature and coverage."""
