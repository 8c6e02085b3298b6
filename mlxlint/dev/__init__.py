"""For those who work on mlxlint: ``python -m mlxlint.dev``."""
