"""``mlxlint audit``: PyTorch code that is not ported yet, read as if it were MLX already.

What such a reading trips over is what a port will meet: the rules say it, as they do of a port. What the names are
called in MLX stands in the rules' tables of names.
"""
