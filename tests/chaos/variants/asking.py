"""Careless ways to talk to the provider, each in the place of a careful one of the worker."""

import math

from activities import Ask, ProviderActivities
from activities.translate import as_record
from oneclickdz import NotFound
from oneclickdz.budget import Kind
from oneclickdz.limits import Place, RateWindow
from topups.observations import Found, LookUpAnswer, Missed


class BareLookUp(ProviderActivities):
    """Asks for a ref in one form and one place only, as the first look at the documentation suggests."""

    async def _search(self, ask: Ask, account: str) -> LookUpAnswer:
        try:
            record = await self._client.check_ref(ask.ref)
        except NotFound:
            return Missed(account=account)
        return Found(record=as_record(record), account=account)


class NoWindow(RateWindow):
    """Lets every request leave at once, also after a 429."""

    async def acquire(self, kind: Kind, *, max_wait: float, newcomer: bool = False) -> Place:
        """Wait for nothing."""
        return Place(kind, 0.0, math.inf)

    async def hold(self, seconds: float) -> None:
        """Forget that the provider asked for a pause."""
