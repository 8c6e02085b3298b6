"""``python -m mlxlint``."""

from mlxlint.cli import main

main()
