"""What this room announces. Receivers in the rooms above run inside the sender's transaction and only call an action."""

from django.dispatch import Signal

run_finished = Signal()  # run (done, failed or cancelled: look at its state)
