"""A linter for PyTorch-to-MLX ports whose findings can be run."""

__version__ = "0.1.0"
