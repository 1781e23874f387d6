"""Every changed worker by its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from tests.chaos.variants import asking, controls, deploys


@dataclass(frozen=True)
class Variant:
    """A worker that differs in one thing: `changes` maps dotted names to what stands there instead."""

    name: str
    sentence: str
    changes: Mapping[str, object]

    def apply(self) -> None:
        """Change this process for good. Raises AttributeError where a name isn't in use any more."""
        for dotted, instead in self.changes.items():
            home, _, name = dotted.rpartition(".")
            module = import_module(home)
            if not hasattr(module, name):
                raise AttributeError(f"{dotted} is gone, so the variant {self.name} would change nothing")
            setattr(module, name, instead)


CONTROLS = (
    Variant(
        "blind-resend",
        "sends again under a new ref when the answer to a send is lost",
        {"worker.TopUp": controls.BlindResend},
    ),
    Variant(
        "documented-loop",
        "checks 60 times, and takes UNKNOWN_ERROR or a check without an answer for a refund",
        {"worker.TopUp": controls.DocumentedLoop},
    ),
    Variant(
        "duplicate-is-failure",
        "repeats a send with its ref, and takes DUPLICATED_REF for a refusal",
        {"worker.TopUp": controls.DuplicateIsFailure},
    ),
    Variant(
        "first-404",
        "believes the first NOT_FOUND after a send in doubt, and rejects the order",
        {"worker.TopUp": controls.FirstNotFound, "worker.ProviderActivities": asking.BareLookUp},
    ),
    Variant(
        "no-limit",
        "ignores the key's rate limit and Retry-After",
        {"oneclickdz.session.RateWindow": asking.NoWindow},
    ),
    Variant("forgets", "goes on checking after the final answer", {"worker.TopUp": controls.Forgets}),
    Variant("hurries", "checks every second", {"worker.TopUp": controls.Hurries}),
)

DEPLOYS = (
    Variant("patched", "a safe new version: one more timer behind a patch", {"worker.TopUp": deploys.Patched}),
    Variant("bad-deploy", "one more timer without a patch", {"worker.TopUp": deploys.NotPatched}),
    Variant("raises", "a bug in the workflow's code fails every task", {"worker.TopUp": deploys.Raises}),
)

VARIANTS = {variant.name: variant for variant in (*CONTROLS, *DEPLOYS)}
