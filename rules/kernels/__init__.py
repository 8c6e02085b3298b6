"""MLX8xx: custom kernels and fast paths; MLX85x is advice."""
