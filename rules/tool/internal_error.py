from __future__ import annotations

from mlxlint.rule import Kind, Rule, Severity


class InternalError(Rule):
    """A failure of mlxlint itself.

    ## What it does
    Reports that a rule, or the analysis of a whole file, failed. The fault is mlxlint's and worth a bug report. What
    the other rules found in the file stands, every other file is still checked, and mlxlint exits with 2.

    ## PyTorch and MLX
    Says nothing about the port: the file may be right or wrong.

    ## Use instead
    Until the bug is fixed, ignore the rule that failed, in general or for this file:

    ```toml
    [tool.mlxlint.per-file-ignores]
    "generated/tables.py" = ["boolean-mask-read"]
    ```

    ## References
    - [Reporting a bug](https://github.com/mlxlint/mlxlint/issues)
    """

    code = "MLX002"
    kind = Kind.TOOL
    severity = Severity.ERROR
    message = "{what} failed: {error}"
