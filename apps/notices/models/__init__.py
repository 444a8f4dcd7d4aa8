from apps.notices.models.notifications import MAIL_ATTEMPTS, Notification, is_own_path
from apps.notices.models.preferences import MailPreference
from apps.notices.models.webhooks import WebhookDelivery, WebhookEndpoint

__all__ = ["MAIL_ATTEMPTS", "MailPreference", "Notification", "WebhookDelivery", "WebhookEndpoint", "is_own_path"]
