from django.urls import path

from registry.signatures import views

app_name = "signatures"
urlpatterns = [
    path("<int:pk>/", views.signature, name="signature"),
    path("<str:label>/<int:pk>/sign/", views.sign_record, name="sign_record"),
    path("<str:label>/<int:pk>/reviewed/", views.late_reviewed, name="late_reviewed"),
]
