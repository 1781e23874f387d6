"""What the stand-in can be told to do differently, at the start or while it runs."""

from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Lagging = Literal["check-ref", "check-id", "list"]


class Settings(BaseModel):
    """Switches of the stand-in; ``POST /_admin/settings`` changes them while it runs.

    Where the documentation is silent or contradicts itself there is a switch, and the default is what was
    seen live or, failing that, what the documentation shows most often.
    """

    model_config = ConfigDict(extra="forbid")

    speed: float = Field(default=1.0, gt=0)
    """Divides the provider's own delays: 5 s, 15 s, 12 h and the 15 min lock-out. Nothing else."""
    rate_limit: int | None = Field(default=None, ge=0)
    """Requests per key in 60 real seconds. None: 60 sandbox, 120 production. 0: no limit."""
    balance: Decimal = Field(default=Decimal(1_000_000), ge=0)
    """DZD in every wallet that the ledger has not touched yet. Read at the start only."""
    ref_form: Literal["prefixed", "bare"] = "prefixed"
    """How a ref is stored and answered: ``API-<username>-<ref>`` (as seen live) or as it was sent."""
    check_ref_forms: Literal["both", "bare", "prefixed", "none"] = "both"
    """Which forms of a ref check-ref finds."""
    read_lag: float = Field(default=0.0, ge=0)
    """Real seconds after the commit in which the order cannot be read yet."""
    read_lag_endpoints: tuple[Lagging, ...] = ("check-ref",)
    """Where the read lag shows."""
    duplicate_code: Literal["DUPLICATED_REF", "DUPLICATED-REF"] = "DUPLICATED_REF"
    """The documented spelling, or the captured one."""
    reuse_after_refund: bool = False
    """Accept the ref of a REFUNDED order a second time."""
    omit_meta: bool = False
    """Leave ``meta`` out of every answer."""
    omit_request_id: bool = False
    """Leave ``requestId`` out of every answer."""

    def change(self, patch: dict[str, Any]) -> None:
        """Apply ``patch`` in place, wholly or not at all. Raises pydantic's ValidationError."""
        changed = Settings.model_validate({**self.model_dump(), **patch})
        for name in type(self).model_fields:
            setattr(self, name, getattr(changed, name))
