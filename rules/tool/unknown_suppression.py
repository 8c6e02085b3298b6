from __future__ import annotations

from mlxlint.rule import Fixable, Kind, Rule, Severity


class UnknownSuppression(Rule):
    """A suppression comment that names no rule.

    ## What it does
    Reports a name or code in a `# mlxlint:` comment, or a code of mlxlint's in a `# noqa`, that no installed rule has,
    and a misspelt directive such as `# mlxlint: ingore[...]`. Codes of other tools in a `# noqa` are left alone.

    ## PyTorch and MLX
    A misspelt suppression suppresses nothing, and reads as if it did.

    ## Example
    ```python
    import mlx.core as mx

    x = mx.zeros(3)  # mlxlint: ignore[bolean-mask-read]
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

    code = "MLX004"
    kind = Kind.TOOL
    severity = Severity.WARNING
    fixable = Fixable.SOMETIMES
    message = "suppression with an unknown {what}: {names}"
