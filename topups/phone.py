"""Algerian mobile numbers, as a person types them and as the provider wants them."""

import re

import phonenumbers

ALGERIA = 213
MOBILE = re.compile(r"0[567][0-9]{8}")
_TYPED = re.compile(r"\+?[0-9 ]+")
_PHONE_LIKE = re.compile(r"(00213|213|0)?[567][0-9]{8}")


def normalise(typed: str) -> str:
    """Return `0[567]` + 8 digits for a national, `+213…` or `00213…` form, spaces allowed.

    Raises ValueError with a sentence that does not repeat the number.
    Source: "Send Top-Up", body field MSSIDN, pattern `^0[567][0-9]{8}$`.
    """
    text = typed.strip(" ")
    if not _TYPED.fullmatch(text):
        raise ValueError("use ASCII digits, spaces and a leading + only, like 0771234567")
    try:
        number = phonenumbers.parse(text, "DZ")
    except phonenumbers.NumberParseException:
        raise ValueError("this is no phone number; write it like 0771234567") from None
    national = f"0{number.national_number}"
    if number.country_code != ALGERIA or not MOBILE.fullmatch(national):
        raise ValueError("this is no Algerian mobile number: 05, 06 or 07 and 8 more digits, or +213…")
    return national


def mask(phone: str) -> str:
    """Show enough of a number for people to recognise it: 077•••••67."""
    return f"{phone[:3]}•••••{phone[-2:]}"


def is_phone_like(text: str) -> bool:
    """Tell whether a ref is itself a phone number: refs are visible everywhere, numbers must not be."""
    return _PHONE_LIKE.fullmatch(re.sub(r"[-_]", "", text)) is not None
