"""Settings, from the environment. `TEMPORAL_*` are read by Temporal's own SDK."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

import platformdirs
from pydantic import AfterValidator, Field, PositiveInt, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from topups.books.differences import DAYS, DAYS_MAX
from topups.models import DELIVER_WITHIN_MAX, DELIVER_WITHIN_MIN, Environment
from topups.order import DELIVER_WITHIN_DEFAULT
from topups.policy import LAST_LOOKUP_MIN_SECONDS, LOOKUP_WAITS_MIN, MAX_RESENDS_MAX, Policy

TASK_QUEUE = "topups"
# Of the daily reconciliation, UTC.
RECONCILE_HOUR = 2
PROVIDER_BASE_URL = "https://api.oneclickdz.com/v3"


def _listenable(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not _is_ip(host.removeprefix("[").removesuffix("]")) or not _is_port(port):
        raise ValueError("must be an IP address and a port, like 0.0.0.0:9464")
    return text


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16


Address = Annotated[str, AfterValidator(_listenable)]


class ClientSettings(BaseSettings):
    """What a backend that submits orders needs to know.

    Each field is the variable of the same name in capitals; `deliver_within` in seconds, `reconcile_…` is for `setup`.
    """

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    environment: Environment = Field(default="sandbox", validation_alias="ONECLICKDZ_ENVIRONMENT")
    task_queue: str = Field(default=TASK_QUEUE, validation_alias="TOPUPS_TASK_QUEUE", min_length=1)
    deliver_within: int = Field(
        default=DELIVER_WITHIN_DEFAULT,
        validation_alias="TOPUPS_DELIVER_WITHIN",
        ge=DELIVER_WITHIN_MIN,
        le=DELIVER_WITHIN_MAX,
    )
    reconcile_hour: int = Field(default=RECONCILE_HOUR, validation_alias="TOPUPS_RECONCILE_HOUR", ge=0, le=23)
    reconcile_days: float = Field(default=DAYS, validation_alias="TOPUPS_RECONCILE_DAYS", gt=0, le=DAYS_MAX)


class WorkerSettings(ClientSettings):
    """What a worker needs: the provider's key, where to keep shared limits, and where it is watched (IP:port)."""

    access_token: SecretStr | None = Field(default=None, validation_alias="ONECLICKDZ_ACCESS_TOKEN")
    access_token_file: Path | None = Field(default=None, validation_alias="ONECLICKDZ_ACCESS_TOKEN_FILE")
    base_url: str = Field(
        default=PROVIDER_BASE_URL, validation_alias="ONECLICKDZ_BASE_URL", pattern=r"\Ahttps?://\S+\z"
    )
    rate_limit: PositiveInt | None = Field(default=None, validation_alias="ONECLICKDZ_RATE_LIMIT")
    coalesce_checks: bool = Field(default=True, validation_alias="TOPUPS_COALESCE_CHECKS")
    state_dir: Path = Field(
        default_factory=lambda: platformdirs.user_state_path("topups"), validation_alias="TOPUPS_STATE_DIR"
    )
    state_url: SecretStr | None = Field(default=None, validation_alias="TOPUPS_STATE_URL")
    state_url_file: Path | None = Field(default=None, validation_alias="TOPUPS_STATE_URL_FILE")
    health_address: Address | None = Field(default=None, validation_alias="TOPUPS_HEALTH_ADDRESS")
    metrics_address: Address | None = Field(default=None, validation_alias="TOPUPS_METRICS_ADDRESS")

    @field_validator("access_token_file", "state_url_file", "health_address", "metrics_address", mode="before")
    @classmethod
    def _unset(cls, text: Any) -> Any:
        # A compose file hands on what isn't set as empty.
        return text or None


class PolicySettings(BaseSettings):
    """Every wait of an order, from `TOPUPS_…`; see `topups.policy.Policy` for meaning and defaults."""

    model_config = SettingsConfigDict(extra="ignore", env_prefix="TOPUPS_")

    first_check: float | None = None
    poll_min: float | None = None
    poll_max: float | None = None
    poll_count: int | None = None
    slow_poll: float | None = None
    unknown_recheck: float | None = None
    unknown_review_after: int | None = None
    lookup_waits: Annotated[tuple[float, ...] | None, NoDecode] = None
    max_resends: int | None = None
    hold_min: float | None = None
    hold_max: float | None = None
    history_events: int | None = None

    @field_validator("lookup_waits", mode="before")
    @classmethod
    def _split(cls, text: Any) -> Any:
        return [part.strip() for part in text.split(",")] if isinstance(text, str) else text

    @field_validator("lookup_waits")
    @classmethod
    def _long_enough(cls, waits: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if waits is not None and not (len(waits) >= LOOKUP_WAITS_MIN and waits[-1] >= LAST_LOOKUP_MIN_SECONDS):
            raise ValueError(
                f"TOPUPS_LOOKUP_WAITS must be at least {LOOKUP_WAITS_MIN} waits, "
                f"the last at least {LAST_LOOKUP_MIN_SECONDS:g} s"
            )
        return waits

    @field_validator("max_resends")
    @classmethod
    def _few_enough(cls, resends: int | None) -> int | None:
        if resends is not None and resends > MAX_RESENDS_MAX:
            raise ValueError(f"TOPUPS_MAX_RESENDS must be at most {MAX_RESENDS_MAX}")
        return resends

    def policy(self) -> Policy:
        """Return the policy. Raises pydantic's ValidationError for waits that make no sense."""
        return Policy(**self.model_dump(exclude_none=True))
