"""``mlxlint releases``: which MLX and MLX-LM are installed, known and published, and what changed between two."""
