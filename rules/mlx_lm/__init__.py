"""MLX7xx: MLX-LM."""
