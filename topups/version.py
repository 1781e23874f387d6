"""Which version of this package is installed."""

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str | None:
    """Return it, like "0.8.0"; None where a source tree runs without having been installed."""
    try:
        return version("durable-topups")
    except PackageNotFoundError:
        return None
