"""What accounts announces to the rooms above it, inside the transaction of the action."""

from django.dispatch import Signal

workspace_created = Signal()
"""Sent with `workspace` and `acting_user` (None when the operator made it), so that rooms can furnish it."""
