from django.urls import path

from followup.schedule import notice_views, views

app_name = "schedule"
urlpatterns = [
    path("notices/<int:pk>/", notice_views.notice, name="notice"),
    path("<int:pk>/", views.visit, name="visit"),
    path("<int:pk>/record/", views.visit_record, name="visit_record"),
    path("<int:pk>/book/", views.visit_book, name="visit_book"),
    path("<int:pk>/missed/", views.visit_missed, name="visit_missed"),
    path("<int:pk>/not-required/", views.visit_not_required, name="visit_not_required"),
    path("<int:pk>/reopen/", views.visit_reopen, name="visit_reopen"),
    path("patients/<str:patient_id>/", views.patient_schedule, name="patient_schedule"),
    path("patients/<str:patient_id>/unscheduled/", views.unscheduled_add, name="unscheduled_add"),
    path("patients/<str:patient_id>/contact/", views.contact_add, name="contact_add"),
]
