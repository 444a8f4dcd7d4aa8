"""Charges for what does not pass through us: from programs (JSON, OTLP) and from people (CSV).

Every way in makes the same plain items of what it was given (`items`), of which those that the books can take are
booked and the others put into quarantine with the reason (`booking`). Text of prompts and answers is never among them.
"""
