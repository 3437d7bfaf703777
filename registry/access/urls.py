from django.urls import path

from registry.access.views import people, settings

app_name = "access"
urlpatterns = [
    path("", settings.settings, name="settings"),
    path("protocol/", settings.protocol, name="protocol"),
    path("approving-alone/", settings.self_approval, name="self_approval"),
    path("sites/", settings.site_list, name="site_list"),
    path("sites/new/", settings.site_new, name="site_new"),
    path("sites/<int:pk>/", settings.site_edit, name="site_edit"),
    path("accounts/", people.user_list, name="user_list"),
    path("accounts/<int:pk>/", people.user_detail, name="user_detail"),
    path("accounts/<int:pk>/active/", people.user_active, name="user_active"),
    path("roles/review/", people.review, name="review"),
    path("roles/<int:pk>/confirm/", people.grant_confirm, name="grant_confirm"),
    path("roles/<int:pk>/end/", people.grant_end, name="grant_end"),
    path("roles/requests/", people.role_request_list, name="role_request_list"),
    path(
        "roles/requests/<int:pk>/approve/",
        people.role_request_decide,
        {"decision": "approve"},
        name="role_request_approve",
    ),
    path(
        "roles/requests/<int:pk>/refuse/",
        people.role_request_decide,
        {"decision": "refuse"},
        name="role_request_refuse",
    ),
    path("roles/requests/<int:pk>/take-back/", people.role_request_take_back, name="role_request_take_back"),
    path("requests/", people.request_list, name="request_list"),
    path("requests/new/", people.request_new, name="request_new"),
    path("requests/<int:pk>/open/", people.request_decide, {"decision": "open"}, name="request_open"),
    path("requests/<int:pk>/refuse/", people.request_decide, {"decision": "refuse"}, name="request_refuse"),
]
