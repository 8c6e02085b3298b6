"""MLX2xx: autograd, optimizers and training loops."""
