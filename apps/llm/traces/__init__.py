"""Calls as people read them: found among millions, and each with all that is known of it."""
