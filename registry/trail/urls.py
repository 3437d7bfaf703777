from django.urls import path

from registry.trail import views

app_name = "trail"
urlpatterns = [
    path("", views.search, name="search"),
    path("print/", views.printed, name="print"),
    path("review/", views.review, name="review"),
    path("export.csv", views.export, {"kind": "csv"}, name="export_csv"),
    path("export.json", views.export, {"kind": "json"}, name="export_json"),
]
