from django.apps import AppConfig


class NotifyingConfig(AppConfig):
    name = "dashboard.notifying"
    label = "notifying"
    verbose_name = "Notifications"
