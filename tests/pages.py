"""What tests of pages share."""

from __future__ import annotations

from django.http import HttpResponse


def text(response: HttpResponse, status: int = 200) -> str:
    assert response.status_code == status
    return response.content.decode()
