"""Traces from `submit` to the provider's answer, where they are switched on; nothing else needs them."""
