"""``mlxlint skill``: what mlxlint knows, as a folder of instructions and facts for coding agents."""
