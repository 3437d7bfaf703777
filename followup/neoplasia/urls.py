from django.urls import URLPattern

app_name = "neoplasia"
urlpatterns: list[URLPattern] = []
