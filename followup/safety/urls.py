from django.urls import path

from followup.safety import views

app_name = "safety"
urlpatterns = [
    path("", views.event_list, name="event_list"),
    path("grades/", views.grades, name="grades"),
    path("patients/<str:patient_id>/add/", views.event_add, name="event_add"),
    path("events/<int:pk>/", views.event, name="event"),
    path("events/<int:pk>/correct/", views.event_edit, name="event_edit"),
    path("events/<int:pk>/assess/", views.event_assess, name="event_assess"),
    path("events/<int:pk>/withdraw/", views.event_withdraw, name="event_withdraw"),
]
