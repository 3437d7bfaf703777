from django.urls import path

from followup.reminders import views

app_name = "reminders"
urlpatterns = [
    path("", views.control, name="control"),
    path("messages/<int:pk>/again/", views.message_again, name="message_again"),
    path("messages/<int:pk>/settle/", views.message_settle, name="message_settle"),
    path("notices/<int:pk>/again/", views.notice_again, name="notice_again"),
    path("notices/<int:pk>/settle/", views.notice_settle, name="notice_settle"),
]
