"""`queried.django_view` under WSGI and ASGI."""

from apps.queried import django

wsgi, asgi = django("wsgi"), django("asgi")
