from django.urls import path

from followup.reports import views

app_name = "reports"
urlpatterns = [
    path("", views.report_list, name="report_list"),
    path("<int:pk>/", views.report_run, name="report_run"),
    path("<int:pk>/pdf/", views.report_download, name="report_download"),
    path("<int:pk>/numbers/", views.numbers_download, name="numbers_download"),
    path("<int:pk>/signed/", views.signed_download, name="signed_download"),
    path("<int:pk>/cancel/", views.report_cancel, name="report_cancel"),
    path("patients/<str:patient_id>/", views.patient_report_make, name="patient_report_make"),
]
