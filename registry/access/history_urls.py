"""The trail's page. It stands in this room because the trail lies below it and knows nobody's rights."""

from django.urls import path

from registry.access.views import history

app_name = "audit"
urlpatterns = [path("<str:label>/<int:pk>/", history.history, name="history")]
