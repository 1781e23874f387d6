"""The commands of an operator's desk: the codec server."""

import importlib
from typing import Annotated

import typer

from starter.exits import ExitCode
from starter.output import note
from starter.session import Session, perform
from topups import SetupNeeded

UI = "http://localhost:8233"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(name="codec-server", epilog="[bold]Exit codes[/]: 0 stopped · 1 a setting is missing")(codec_server)


def codec_server(
    ctx: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="Where to listen.", metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.", min=1, max=65535)] = 8081,
    ui: Annotated[
        list[str] | None, typer.Option(help="Temporal UI that may ask; more than one may be given.", metavar="URL")
    ] = None,
) -> None:
    """Let operators read encrypted orders in the Temporal UI and the temporal command.

    Needs TOPUPS_ENCRYPTION_KEYS, and TOPUPS_CODEC_TOKEN: a secret that each request must bring.
    In the browser, open this server once (any user name, the token as password), then set the UI's codec endpoint
    to it with "include cross-origin credentials".

    [bold]Example[/]
      topup codec-server --ui http://localhost:8233
      temporal workflow show -w topup-order-1042 \\
               --codec-endpoint http://localhost:8081 --codec-auth "Bearer $TOPUPS_CODEC_TOKEN"
    """

    async def act(session: Session) -> ExitCode:
        del session
        try:
            server = importlib.import_module("starter.codec_server")
        except ModuleNotFoundError as error:
            raise SetupNeeded(f"{error.name} is missing: install durable-topups[codec]") from error
        origins = [address.rstrip("/") for address in ui or [UI]]
        app = server.create_app(*server.given(), origins)
        note(f"decrypts at http://{host}:{port} for {', '.join(origins)}; Ctrl-C stops it")
        await server.serve(app, host, port)
        return ExitCode.DONE

    perform(ctx, act, interrupted="stopped")
