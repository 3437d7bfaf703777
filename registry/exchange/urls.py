from django.urls import path

from registry.exchange import views

app_name = "exchange"
urlpatterns = [
    path("imports/", views.import_list, name="import_list"),
    path("imports/new/", views.import_new, name="import_new"),
    path("imports/format/<str:kind>/", views.import_format, name="import_format"),
    path("imports/<int:pk>/", views.import_run, name="import_run"),
    path("imports/<int:pk>/confirm/", views.import_confirm, name="import_confirm"),
    path("imports/<int:pk>/cancel/", views.import_cancel, name="import_cancel"),
    path("exports/", views.export_list, name="export_list"),
    path("exports/names/", views.identified_export, name="identified_export"),
    path("exports/<int:pk>/", views.export_run, name="export_run"),
    path("exports/<int:pk>/download/", views.export_download, name="export_download"),
]
