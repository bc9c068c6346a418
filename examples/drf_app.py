"""A viewset of Django REST framework whose list is a workbook or CSV, too: filtered, and whole.

Start it: uvicorn examples.drf_app:app
Or: gunicorn examples.drf_app:application
Then open http://127.0.0.1:8000/, or /orders/?format=xlsx, or /orders.csv?search=999.
By curl: curl -OJ 'http://127.0.0.1:8000/orders/?format=xlsx', or with -H 'Accept: text/csv'.
"""

from tempfile import TemporaryDirectory

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import connection, models

folder = TemporaryDirectory()
database = {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{folder.name}/orders"}
rest = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],  # for they want the users of Django
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "PAGE_SIZE": 20,
    "UNAUTHENTICATED_USER": None,
}
settings.configure(
    ALLOWED_HOSTS=["*"], DATABASES={"default": database}, REST_FRAMEWORK=rest, ROOT_URLCONF=__name__
)
app, application = get_asgi_application(), get_wsgi_application()

from rest_framework import filters, routers, serializers, viewsets  # noqa: E402 - after settings

from streamware.frameworks.drf import ExportMixin  # noqa: E402 - the same


class Order(models.Model):
    customer = models.CharField(max_length=50)
    total = models.FloatField()

    class Meta:
        app_label = "shop"


class OrderSerializer(serializers.ModelSerializer):
    class Meta:
        model = Order
        fields = ["id", "customer", "total"]


class OrderViewSet(ExportMixin, viewsets.ModelViewSet):
    queryset = Order.objects.order_by("id")
    serializer_class = OrderSerializer
    filter_backends = [filters.SearchFilter]
    search_fields = ["customer"]


with connection.schema_editor() as editor:
    editor.create_model(Order)
Order.objects.bulk_create(
    Order(customer=f"Müller & Söhne {n}", total=n / 8) for n in range(1, 10_001)
)
connection.close()
router = routers.DefaultRouter()
router.register("orders", OrderViewSet, basename="orders")
urlpatterns = router.urls
