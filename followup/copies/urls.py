from django.urls import path

from followup.copies import views

app_name = "copies"
urlpatterns = [
    path("<int:pk>/", views.copy_run, name="copy_run"),
    path("<int:pk>/download/", views.copy_download, name="copy_download"),
    path("patients/<str:patient_id>/", views.copy_make, name="copy_make"),
]
