from django.urls import path

from registry.backups import views

app_name = "backups"
urlpatterns = [path("", views.status, name="status")]
