"""Secrets by environment or by file: `NAME`, or `NAME_FILE` with the path of a file that holds it."""

from pathlib import Path

from pydantic import SecretStr

from topups.errors import SetupNeeded


def secret(name: str, value: SecretStr | None, file: Path | None) -> str:
    """Return the secret of that variable, empty when neither is set. Raises SetupNeeded, which never shows it.

    An empty variable is one that isn't set: a compose file hands on what it doesn't know as empty.
    """
    text = value.get_secret_value() if value is not None else ""
    if file is None:
        return text
    if text:
        raise SetupNeeded(f"set {name} or {name}_FILE, not both")
    try:
        found = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SetupNeeded(f"{name}_FILE: {file} can't be read ({type(error).__name__})") from None
    # Whoever names a file means a secret: an empty one must not quietly leave orders in plain.
    if not found:
        raise SetupNeeded(f"{name}_FILE: {file} is empty")
    return found
