"""MLX1xx: indexing, copies and in-place updates."""
