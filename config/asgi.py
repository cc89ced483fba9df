"""The ASGI application: HTTP by Django, WebSockets by Channels, and the lifespan.

Whatever anybody sends passes a guard first, whichever application it is for.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
os.environ.setdefault("DB_STATEMENT_SECONDS", "30")

# Django must be set up before anything that touches models is imported.
django.setup(set_prefix=False)

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from apps.api_kit.async_api import ApiASGIHandler  # noqa: E402
from apps.chat.lifespan import lifespan  # noqa: E402
from apps.chat.websocket.routing import websocket_urlpatterns  # noqa: E402
from apps.dashboard.realtime.routing import realtime_urlpatterns  # noqa: E402
from apps.infrastructure.limits.connection_watch import watch_connections  # noqa: E402
from apps.infrastructure.limits.request_guard import guard_requests  # noqa: E402
from apps.infrastructure.limits.socket_guard import guard_sockets  # noqa: E402
from apps.infrastructure.web.asgi import route_by_prefix  # noqa: E402
from apps.infrastructure.web.health import serve_health  # noqa: E402
from apps.infrastructure.web.stopping import close_connections_when_stopping  # noqa: E402
from apps.infrastructure.web.thread_pool import ThreadPoolASGIHandler  # noqa: E402

application = ProtocolTypeRouter(
    {
        "lifespan": watch_connections(lifespan),
        "http": close_connections_when_stopping(
            serve_health(
                otherwise=guard_requests(
                    route_by_prefix("/api/", ApiASGIHandler(), otherwise=ThreadPoolASGIHandler())
                )
            )
        ),
        "websocket": guard_sockets(URLRouter([*realtime_urlpatterns, *websocket_urlpatterns])),
    }
)
