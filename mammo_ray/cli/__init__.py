"""The `mammo` command: parse, configure, one library call, say what came of it, exit code.

Exit codes: 0 done, 1 failed, 2 bad usage, configuration or input, 3 done but more than the allowed
share of images rejected, 4 done with findings (`mammo check`), or with expected exams missing.
"""

import logging
import sys
from collections.abc import Sequence

import click

from mammo_ray import __version__
from mammo_ray.cli import data_commands, model_commands
from mammo_ray.errors import MammoError

_log = logging.getLogger("mammo_ray")

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="mammo")
def mammo() -> None:
    """Batch scoring and training for screening mammography, on Ray.

    Exit codes: 0 done, 1 failed, 2 bad usage or input, 3 done but too many images rejected,
    4 done with findings.
    """


for _command in (*data_commands.COMMANDS, *model_commands.COMMANDS):
    mammo.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        arguments: of the command line without the program's name; None: those of the process.
    """
    _set_up_logging()
    try:
        code = mammo.main(
            args=None if arguments is None else list(arguments),
            prog_name="mammo",
            standalone_mode=False,
        )
    except MammoError as error:
        click.echo(f"mammo: error: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("mammo: stopped", err=True)
        return 1
    return code if isinstance(code, int) else 0


def _set_up_logging() -> None:
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.captureWarnings(capture=True)
    _log.setLevel(logging.INFO)
