"""Logging in and out."""

from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

urlpatterns = [
    path("login", LoginView.as_view(template_name="accounts/login.html", next_page="overview"), name="login"),
    path("logout", LogoutView.as_view(next_page="login"), name="logout"),
]
