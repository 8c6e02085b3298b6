"""MLX9xx: weights, files and exchange with other libraries."""
