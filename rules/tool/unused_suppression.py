from __future__ import annotations

from mlxlint.rule import Fixable, Kind, Rule, Severity


class UnusedSuppression(Rule):
    """A suppression comment that suppresses nothing.

    ## What it does
    Reports a `# mlxlint:` comment, or a `# noqa` that names one of mlxlint's rules, where the named rule finds nothing.
    Only rules that are enabled for the file count, and neither a bare `# noqa` nor another tool's codes are ever
    reported.

    ## PyTorch and MLX
    A suppression left behind hides the next real hazard on its line.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros(3)  # mlxlint: ignore[boolean-mask-read]
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    x = mx.zeros(3)
    ```

    ## Fix safety
    Safe: only the comment, or the one name in it, is removed.

    ## References
    - [Suppressing findings](https://mlxlint.github.io/mlxlint/suppression/)
    """

    code = "MLX003"
    kind = Kind.TOOL
    severity = Severity.WARNING
    fixable = Fixable.ALWAYS
    message = "unused suppression{names}"
