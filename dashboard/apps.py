from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "dashboard"

    def ready(self) -> None:
        # Tasks declared with shared_task are sent through this application. It is not imported by the package itself:
        # `dashboard.graphs` and the embedded parts need no Celery.
        import dashboard.beating  # noqa: PLC0415
        import dashboard.celery  # noqa: F401, PLC0415
