from apps.notices.actions.inbox import BadNotice, choose_mail, mark_all_read, mark_read, notify, send_mail_again
from apps.notices.actions.webhooks import (
    announce,
    create_webhook,
    forget_old_deliveries,
    ping_webhook,
    remove_webhook,
    replay_delivery,
    rotate_webhook_secret,
    switch_webhook,
    tell_failing_webhooks,
    update_webhook,
)

__all__ = [
    "BadNotice",
    "announce",
    "choose_mail",
    "create_webhook",
    "forget_old_deliveries",
    "mark_all_read",
    "mark_read",
    "notify",
    "ping_webhook",
    "remove_webhook",
    "replay_delivery",
    "rotate_webhook_secret",
    "send_mail_again",
    "switch_webhook",
    "tell_failing_webhooks",
    "update_webhook",
]
