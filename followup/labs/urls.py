from django.urls import path

from followup.labs import views

app_name = "labs"
urlpatterns = [
    path("enter/", views.result_entry, name="result_entry"),
    path("visits/<int:pk>/", views.visit_results, name="visit_results"),
    path("patients/<str:patient_id>/", views.patient_results, name="patient_results"),
    path("patients/<str:patient_id>/enter/", views.patient_entry, name="patient_entry"),
    path("results/<int:pk>/correct/", views.result_correct, name="result_correct"),
    path("results/<int:pk>/withdraw/", views.result_withdraw, name="result_withdraw"),
    path("laboratories/", views.laboratory_list, name="laboratory_list"),
    path("laboratories/<int:pk>/", views.laboratory_edit, name="laboratory_edit"),
]
