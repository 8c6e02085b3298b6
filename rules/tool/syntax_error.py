from __future__ import annotations

from mlxlint.rule import Kind, Rule, Severity


class SyntaxErrorRule(Rule):
    """A file that is not Python.

    ## What it does
    Reports a file that cannot be read as Python 3: a syntax error, Python 2 code, bytes that are not of the file's
    encoding, NUL bytes. Nothing else can be said about such a file; every other file is still checked.

    ## PyTorch and MLX
    A port that does not parse does not run on either.

    ## Example
    ```python
    import mlx.core as mx

    print mx.zeros(3)
    ```

    ## Use instead
    ```python
    import mlx.core as mx

    print(mx.zeros(3))
    ```

    ## References
    - [Python: syntax errors](https://docs.python.org/3/tutorial/errors.html#syntax-errors)
    - [Python: encoding declarations](https://docs.python.org/3/reference/lexical_analysis.html#encoding-declarations)
    """

    code = "MLX001"
    kind = Kind.TOOL
    severity = Severity.ERROR
    message = "{reason}"
