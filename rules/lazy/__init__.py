"""MLX5xx: lazy evaluation, compilation and timing."""
