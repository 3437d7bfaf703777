from django.urls import path

from followup.desk import views

app_name = "desk"
urlpatterns = [
    path("", views.home, name="home"),
    path("today/", views.today, name="today"),
    path("overview/", views.site_overview, name="overview"),
    path("data/", views.data, name="data"),
    path("patients/<str:patient_id>/", views.patient_record, name="patient_record"),
    path("patients/<str:patient_id>/events/", views.patient_events, name="patient_events"),
    path("patients/<str:patient_id>/neoplasia/", views.patient_neoplasia, name="patient_neoplasia"),
    path("patients/<str:patient_id>/infusions/", views.patient_infusions, name="patient_infusions"),
    path("patients/<str:patient_id>/consent/", views.patient_consent, name="patient_consent"),
]
