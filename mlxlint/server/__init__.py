"""The language server: findings, fixes and explanations while code is written."""
