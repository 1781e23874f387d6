"""A typed async client of the OneClickDZ mobile top-up API (v3).

It knows one thing above all: for every failure of a send, whether an order may exist.
"""

from oneclickdz.budget import DEFAULT_LIMITS
from oneclickdz.client import BASE_URL, OneClickDZ
from oneclickdz.errors import (
    CredentialsRefused,
    DuplicateRef,
    HoldReason,
    InsufficientBalance,
    KeyClosed,
    NoAnswer,
    NotFound,
    NothingCreated,
    NotSent,
    OneClickDZError,
    PerhapsCreated,
    ProviderUnavailable,
    RateLimited,
    Refused,
    SaysNothing,
    TokenMissing,
    UnclearAnswer,
    Unreachable,
    WrongEnvironment,
)
from oneclickdz.masking import mask_phones
from oneclickdz.models import (
    Account,
    Catalogue,
    DynamicPlan,
    FixedPlan,
    Offer,
    SendAccepted,
    TopUpPage,
    TopUpRecord,
    Transaction,
    TransactionPage,
)
from oneclickdz.observer import Exchange, Observer
from oneclickdz.session import Environment
from oneclickdz.stores import Store
from oneclickdz.tokens import FileToken, StaticToken, TokenSource

__all__ = [
    "BASE_URL",
    "DEFAULT_LIMITS",
    "Account",
    "Catalogue",
    "CredentialsRefused",
    "DuplicateRef",
    "DynamicPlan",
    "Environment",
    "Exchange",
    "FileToken",
    "FixedPlan",
    "HoldReason",
    "InsufficientBalance",
    "KeyClosed",
    "NoAnswer",
    "NotFound",
    "NotSent",
    "NothingCreated",
    "Observer",
    "Offer",
    "OneClickDZ",
    "OneClickDZError",
    "PerhapsCreated",
    "ProviderUnavailable",
    "RateLimited",
    "Refused",
    "SaysNothing",
    "SendAccepted",
    "StaticToken",
    "Store",
    "TokenMissing",
    "TokenSource",
    "TopUpPage",
    "TopUpRecord",
    "Transaction",
    "TransactionPage",
    "UnclearAnswer",
    "Unreachable",
    "WrongEnvironment",
    "mask_phones",
]
