"""What runs in a training run's own processes. Django-free: it is given a folder with a config.json, and writes there.

The web process imports `config` and `metrics` alone; all else loads torch.
"""
