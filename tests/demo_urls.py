"""The addresses as they are in the demo, whose page is not there under the tests' settings."""

from dashboard.urls import DEMO, handler404, handler500
from dashboard.urls import urlpatterns as without_demo

__all__ = ["handler404", "handler500", "urlpatterns"]

urlpatterns = [*without_demo, *DEMO]
