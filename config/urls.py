"""Every address of the site. One line a room; the addresses of a room stand in its own urls.py."""

from allauth.account import views as account
from django.urls import include, path

from config import health

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("accounts/login/", account.login, name="account_login"),
    path("accounts/logout/", account.logout, name="account_logout"),
    path("accounts/password/", account.password_change, name="account_change_password"),
    path("", include("registry.signin.urls")),
    path("patients/", include("registry.patients.urls")),
    path("handover/", include("registry.handover.urls")),
    path("cells/", include("registry.products.urls")),
    path("infusions/", include("registry.infusions.urls")),
    path("visits/", include("followup.schedule.urls")),
    path("laboratory/", include("followup.labs.urls")),
    path("treatment/", include("followup.treatment.urls")),
    path("safety/", include("followup.safety.urls")),
    path("neoplasia/", include("followup.neoplasia.urls")),
    path("reminders/", include("followup.reminders.urls")),
    path("reports/", include("followup.reports.urls")),
    path("data/trail/", include("registry.trail.urls")),
    path("data/", include("registry.exchange.urls")),
    path("copies/", include("followup.copies.urls")),
    path("history/", include("registry.access.history_urls")),
    path("signatures/", include("registry.signatures.urls")),
    path("settings/status/", include("registry.backups.urls")),
    path("settings/plans/", include("followup.plans.urls")),
    path("settings/", include("registry.access.urls")),
    # Last: "patients/<patient id>/" would otherwise take the patients' own words, such as "patients/enrol/".
    path("", include("followup.desk.urls")),
]

handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.server_error"
