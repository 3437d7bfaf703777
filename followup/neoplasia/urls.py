from django.urls import path

from followup.neoplasia import views

app_name = "neoplasia"
urlpatterns = [
    path("", views.case_list, name="case_list"),
    path("visits/<int:pk>/check/", views.check_add, name="check_add"),
    path("patients/<str:patient_id>/check/", views.check_add_any, name="check_add_any"),
    path("patients/<str:patient_id>/report/", views.case_report, name="case_report"),
    path("checks/<int:pk>/", views.check, name="check"),
    path("cases/<int:pk>/", views.case, name="case"),
    path("cases/<int:pk>/note/", views.case_note, name="case_note"),
    path("cases/<int:pk>/update/", views.case_update, name="case_update"),
    path("cases/<int:pk>/close/", views.case_close, name="case_close"),
    path("cases/<int:pk>/reopen/", views.case_reopen, name="case_reopen"),
    path("cases/<int:pk>/assess/", views.case_assess, name="case_assess"),
    path("cases/<int:pk>/event/", views.case_event, name="case_event"),
]
