"""Django's admin with exports: of the selected orders, and of the list as it is filtered.

Start it: python examples/django_admin.py
Then open http://127.0.0.1:8000/shop/order/, and log in as admin, with the password admin.
"""

from datetime import date, timedelta
from tempfile import TemporaryDirectory

import django
from django.apps import AppConfig
from django.conf import settings
from django.core.management import call_command

folder = TemporaryDirectory()


class Shop(AppConfig):
    name, label, path = __name__, "shop", folder.name


apps = ["admin", "auth", "contenttypes", "messages", "sessions", "staticfiles"]
before = [
    "contrib.sessions.middleware.Session",
    "middleware.locale.Locale",
    "middleware.csrf.CsrfView",
]
after = ["contrib.auth.middleware.Authentication", "contrib.messages.middleware.Message"]
processors = ["template.context_processors.request"]
processors += [f"contrib.{app}.context_processors.{app}" for app in ("auth", "messages")]
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder.name}/shop"}},
    DEBUG=True,
    INSTALLED_APPS=[*(f"django.contrib.{app}" for app in apps), f"{__name__}.Shop"],
    MIDDLEWARE=[f"django.{name}Middleware" for name in (*before, *after)],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for an example only",
    STATIC_URL="/static/",
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": [f"django.{name}" for name in processors]},
        }
    ],
)
django.setup()

from django.contrib import admin  # noqa: E402 - after settings
from django.contrib.auth.models import User  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.urls import path  # noqa: E402

from streamware.frameworks.django_admin import ExportActionMixin  # noqa: E402


class Order(models.Model):
    customer = models.CharField(max_length=50)
    status = models.CharField(max_length=1, choices=[("o", "Open"), ("p", "Paid")])
    day = models.DateField()
    total = models.DecimalField(max_digits=9, decimal_places=2)


@admin.register(Order)
class OrderAdmin(ExportActionMixin, admin.ModelAdmin):
    list_display = ["id", "customer", "status", "day", "total"]
    list_filter = ["status"]
    search_fields = ["customer"]


urlpatterns = [path("", admin.site.urls)]

if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Order)
    User.objects.create_superuser("admin", password="admin")
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(300)]
    orders = (
        Order(customer=f"Müller & Söhne {n}", status="op"[n % 2], day=days[n % 300], total=n / 8)
        for n in range(1, 10_001)
    )
    Order.objects.bulk_create(orders)
    call_command("runserver", "8000", "--noreload")
