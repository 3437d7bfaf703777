from django.urls import path

from registry.signatures import lock_views, views

app_name = "signatures"
urlpatterns = [
    path("<int:pk>/", views.signature, name="signature"),
    path("locks/", lock_views.lock_list, name="lock_list"),
    path("locks/<int:pk>/unlock/", lock_views.unlock, name="unlock"),
    path(
        "unlocking/<int:pk>/approve/",
        lock_views.unlock_decide,
        {"decision": "approve"},
        name="unlock_approve",
    ),
    path(
        "unlocking/<int:pk>/refuse/", lock_views.unlock_decide, {"decision": "refuse"}, name="unlock_refuse"
    ),
    path(
        "unlocking/<int:pk>/take-back/",
        lock_views.unlock_decide,
        {"decision": "take_back"},
        name="unlock_take_back",
    ),
    path("<str:label>/<int:pk>/sign/", views.sign_record, name="sign_record"),
    path("<str:label>/<int:pk>/lock/", lock_views.lock, name="lock"),
    path("<str:label>/<int:pk>/reviewed/", views.late_reviewed, name="late_reviewed"),
]
