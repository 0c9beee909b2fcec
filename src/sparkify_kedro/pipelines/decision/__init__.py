"""Decision: scores and what a contact costs and brings -> how many users to contact, and the list of them."""

from .pipeline import create_pipeline

__all__ = ["create_pipeline"]
