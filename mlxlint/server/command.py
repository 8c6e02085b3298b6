"""``mlxlint server`` on the command line."""

from __future__ import annotations

import gc
import importlib.util

import click


@click.command("server", short_help="Language server for editors, on stdin and stdout.")
@click.option("--stdio", is_flag=True, help="Accepted for clients that say so; there is no other way.")
def server_command(stdio: bool) -> None:
    """Serve an editor by the Language Server Protocol on stdin and stdout."""
    if importlib.util.find_spec("pygls") is None or importlib.util.find_spec("lsprotocol") is None:
        raise click.ClickException('the language server needs more packages: pip install "mlxlint[lsp]"')
    from mlxlint.server.features import serve

    gc.enable()  # unlike other commands, this one runs for long
    serve()
