"""MLX6xx: devices, streams and memory."""
