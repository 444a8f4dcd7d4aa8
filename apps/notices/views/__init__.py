"""The inbox of a person, and the webhooks of a workspace."""
