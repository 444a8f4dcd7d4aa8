"""Connections to providers, the models behind them, every attempt made, and what keeps attempts in order."""

from apps.llm.models.answers import CachedAnswer
from apps.llm.models.calls import Call, CallBody
from apps.llm.models.catalogue import Model
from apps.llm.models.connections import Connection
from apps.llm.models.hours import CallHour
from apps.llm.models.keeping import BodyPolicy
from apps.llm.models.lanes import Lane, Waiter

__all__ = ["BodyPolicy", "CachedAnswer", "Call", "CallBody", "CallHour", "Connection", "Lane", "Model", "Waiter"]
