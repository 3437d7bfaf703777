from django.urls import path

from followup.treatment import views

app_name = "treatment"
urlpatterns = [
    path("patients/<str:patient_id>/", views.treatment_list, name="treatment_list"),
    path("patients/<str:patient_id>/add/", views.treatment_add, name="treatment_add"),
    path("<int:pk>/stop/", views.treatment_stop, name="treatment_stop"),
    path("<int:pk>/correct/", views.treatment_correct, name="treatment_correct"),
    path("<int:pk>/withdraw/", views.treatment_withdraw, name="treatment_withdraw"),
]
