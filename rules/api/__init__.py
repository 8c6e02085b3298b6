"""MLX4xx: the array API, its names, keywords and semantics."""
