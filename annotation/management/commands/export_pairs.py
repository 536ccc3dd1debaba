"""`export`, under the name that it had first."""

from annotation.management.commands.export import Command

__all__ = ["Command"]
