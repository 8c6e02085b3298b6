"""The built-in rules: a folder per family, a module per hazard."""
