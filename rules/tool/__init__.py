"""MLX0xx: the tool's own findings, about the linted file or about mlxlint itself."""
