"""The command line: commands, their options, and what the terminal shows."""

from argo_ml.cli.commands import cli, execute, main

__all__ = ["cli", "execute", "main"]
