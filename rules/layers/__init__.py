"""MLX3xx: layers, layouts, losses and initialisation."""
