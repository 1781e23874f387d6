"""The `topup` command: its commands, its version, and how one run of it goes."""

from collections.abc import Sequence
from typing import Annotated

import typer

from starter import (
    commands_acts,
    commands_desk,
    commands_list,
    commands_many,
    commands_orders,
    commands_reconcile,
)
from starter.session import Session, hung_up, report
from topups.version import installed_version

ROOT_EPILOG = """\
[bold]Exit codes[/]
  0    done as asked (send --wait: delivered)
  1    unexpected
  2    bad input, nothing happened
  3    final but not delivered (send --wait)
  4    still open when the wait ended
  5    the ref belongs to another order
  6    no such order
  7    Temporal can't be reached
  8    no worker answered, may still be taken
  9    refused in this phase
  130  Ctrl-C

[bold]Environment[/]
  TEMPORAL_ADDRESS (localhost:7233), TEMPORAL_NAMESPACE, TEMPORAL_PROFILE
  ONECLICKDZ_ENVIRONMENT: sandbox, or production
  TOPUPS_ENCRYPTION_KEYS: id:base64, where orders are encrypted
  NO_COLOR, TOPUP_DEBUG=1 (tracebacks)
"""

app = typer.Typer(
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
commands_orders.register(app)
commands_list.register(app)
commands_many.register(app)
commands_acts.register(app)
commands_desk.register(app)
commands_reconcile.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"topup {installed_version() or 'from a source tree'}")
        raise typer.Exit


@app.callback(epilog=ROOT_EPILOG)
def root(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Mobile top-ups that are never lost and never sent twice.

    [bold]Example[/]
      topup send --ref order-1042 --plan PREPAID_DJEZZY --phone 0771234567 \\
                 --amount 500 --wait 60
      topup status order-1042
    """
    del show_version


def run(argv: Sequence[str], session: Session | None) -> int:
    """Run one command and return its exit code."""
    command = typer.main.get_command(app)
    try:
        command.main(args=list(argv), prog_name="topup", obj=session or Session())
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except BrokenPipeError:
        return hung_up()
    except Exception as error:
        return report(error)
    return 0
