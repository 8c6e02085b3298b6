"""MLX8xx: custom kernels and fast paths."""
