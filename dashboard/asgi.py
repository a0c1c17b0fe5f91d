"""HTTP to Django's views, /ws/live/ to the live hub. What a web process runs."""

from __future__ import annotations

import gc
import os
import sys

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
django_application = get_asgi_application()

from dashboard import (  # noqa: E402 - need Django's settings
    live,
    urls,  # noqa: F401 - with all pages: else the first viewer waits for them
)
from dashboard.accounts.access import SocketAccess  # noqa: E402

route = path("ws/live/", SocketAccess(live.application))  # type: ignore[arg-type]
application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter([route]))),
    }
)

# Python looks for garbage through all that lives, and everybody waits meanwhile: 70 ms, several times a second. What
# lives now lives for ever and needs no looking through, and a page makes more objects than Python expects of a program.
gc.freeze()
gc.set_threshold(10_000, 10, 10)

# Whoever computes for long, such as a large drawing, holds up all others for so many seconds each time that the
# database has answered them: by default 5 ms, so that a page of ten queries would come 50 ms later.
sys.setswitchinterval(0.001)
