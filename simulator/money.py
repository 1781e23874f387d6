"""DZD are exact decimals inside and plain JSON numbers outside."""

from decimal import Decimal


def number(amount: Decimal) -> int | float:
    """``490`` for 490.00 and ``496.25`` for 496.25, as the documentation prints them."""
    return int(amount) if amount == amount.to_integral_value() else float(amount)
