"""`autoglm`: the command line, thin. One file in commands/ is one command; nothing is registered anywhere.

    autoglm --help

A command is a function `command` in openautoglm/commands/<name>.py, decorated with `@click.command()`; the file's
name is the command's. It raises errors of openautoglm.errors; what a shell sees of them is decided here: one line,
exit code 2 for something given to us that is wrong, 1 for a sound run that did not publish.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import click

from openautoglm import __version__
from openautoglm.errors import AutoGLMError, UserError

COMMANDS = Path(__file__).parent / "commands"
BROKEN_PIPE = 141  # what a shell reports of a program that wrote to a closed pipe


class Commands(click.Group):
    """The files in commands/, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(path.stem for path in COMMANDS.glob("*.py") if not path.stem.startswith("_"))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        command = import_module(f"openautoglm.commands.{name}").command
        assert isinstance(command, click.Command)
        command.name = name
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="autoglm")
def group() -> None:
    """Keep a text-understanding model current: validate, graph, train, evaluate, export, publish deltas.

    \b
    autoglm run --data tickets.jsonl        from your texts to a release
    autoglm run --add today.jsonl           go on from the release in service
    autoglm status                          what is in service, and what would run
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    try:
        code = group.main(args=arguments, prog_name="autoglm", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except AutoGLMError as error:
        click.echo(f"error: {error}", err=True)
        code = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        code = BROKEN_PIPE
    except OSError as error:  # a path that is no folder, a full disk, a host that does not answer
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {where}{error.strerror or error}", err=True)
        code = UserError.exit_code
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
