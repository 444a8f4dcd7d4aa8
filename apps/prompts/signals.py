"""What this room announces. Receivers in the rooms above run inside the sender's transaction and only call an action."""

from django.dispatch import Signal

change_request_opened = Signal()  # change_request, acting_user; sent again when it asks for something else
change_request_closed = Signal()  # change_request
version_deployed = Signal()  # deployment
