"""A stand-in for the OneClickDZ v3 provider, with its own ledger. Start it with ``python -m simulator``.

It judges everything else in this repository, so it imports nothing from it. See ``docs/simulator.md``.
"""

from simulator.app import create_app
from simulator.settings import Settings

__all__ = ["Settings", "create_app"]
