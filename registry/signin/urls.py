"""Addresses of sign-in. Those of one's own account and of other people's sign-in stand among the settings."""

from django.urls import path

from registry.signin.views import account, codes, people

app_name = "signin"
urlpatterns = [
    path("accounts/code/", codes.code, name="code"),
    path("accounts/second-factor/", codes.second_factor_page, name="second_factor"),
    path("accounts/recovery-codes/", codes.recovery_codes, name="recovery_codes"),
    path("accounts/recovery-codes/file/", codes.recovery_codes_file, name="recovery_codes_file"),
    path("accounts/new-password/", people.new_password, name="new_password"),
    path("accounts/presence/", account.presence, name="presence"),
    path("accounts/drafts/", account.draft_keep, name="draft_keep"),
    path("accounts/drafts/<int:pk>/forget/", account.draft_forget, name="draft_forget"),
    path("settings/account/", account.account, name="account"),
    path("settings/account/sessions/<uuid:number>/end/", account.session_end, name="session_end"),
    path("settings/account/sessions/end-others/", account.sessions_end_others, name="sessions_end_others"),
    path("settings/accounts/<int:pk>/sign-in/", people.person, name="person"),
    path("settings/accounts/<int:pk>/sign-in/reset/", people.second_factor_reset, name="second_factor_reset"),
    path("settings/accounts/<int:pk>/sign-in/link/", people.password_link, name="password_link"),
]
