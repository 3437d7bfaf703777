from django.urls import path

from registry.access.views import settings

app_name = "access"
urlpatterns = [
    path("", settings.settings, name="settings"),
    path("account/", settings.account, name="account"),
    path("sites/", settings.site_list, name="site_list"),
    path("sites/new/", settings.site_new, name="site_new"),
    path("sites/<int:pk>/", settings.site_edit, name="site_edit"),
    path("accounts/", settings.user_list, name="user_list"),
    path("accounts/<int:pk>/", settings.user_detail, name="user_detail"),
    path("accounts/<int:pk>/active/", settings.user_active, name="user_active"),
    path("roles/<int:pk>/end/", settings.grant_end, name="grant_end"),
    path("requests/", settings.request_list, name="request_list"),
    path("requests/new/", settings.request_new, name="request_new"),
    path("requests/<int:pk>/open/", settings.request_decide, {"decision": "open"}, name="request_open"),
    path("requests/<int:pk>/refuse/", settings.request_decide, {"decision": "refuse"}, name="request_refuse"),
]
