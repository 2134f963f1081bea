"""completion: the script that makes a shell complete `warren`."""

from __future__ import annotations

import click

from warren.frontends.cli.base import Command, Session


@click.command(
    cls=Command,
    needs_node=False,
    examples=[
        "warren completion bash >> ~/.bashrc",
        "warren completion zsh >> ~/.zshrc",
        "warren completion fish > ~/.config/fish/completions/warren.fish",
    ],
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_obj
def completion(session: Session, shell: str) -> None:
    """Print the completion script for a shell."""
    from click.shell_completion import get_completion_class

    from warren.frontends.cli.main import warren

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    script = kind(warren, {}, "warren", "_WARREN_COMPLETE").source()
    session.show({"shell": shell, "script": script}, script.splitlines())
