"""Scripts that fill and question a registry of its own (`tests.places`): a site, staff, people with visits due, and a report."""

PASSWORD = "correct-horse-battery"
VISITS, NURSES = 6, 2

# `manage.py mark_test` first. Visits are due today, so a sweep has something to send.
FILL = f"""
from datetime import timedelta
from registry import clock
from registry.access.models import RoleGrant, Site, User
from registry.audit.acting import acting_as
from registry.patients.identity import IdentityFacts, save_identity
from registry.patients.models import Patient
from followup.schedule.actions import ensure_default_plan
from followup.schedule.models import Timepoint, Visit

now = clock.now()
today = now.date()
with acting_as("system:command"):
    ensure_default_plan(now)
    timepoint = Timepoint.objects.get(code="M12")
    site = Site.objects.create(code="RIV", name="Riverside", country="GB", time_zone="UTC")
    staff = [(f"nurse{{n}}", "nurse", site) for n in range({NURSES})]
    for name, role, place in [*staff, ("cora", "coordinator", None), ("adam", "administrator", None)]:
        email = f"{{name}}@example.org" if role == "nurse" else ""
        user = User(username=name, full_name=name.title(), email=email, date_joined=now)
        user.set_password("{PASSWORD}")
        user.save()
        RoleGrant.objects.create(user=user, role=role, site=place, starts_on=today)
    for number in range({VISITS}):
        patient = Patient.objects.create(
            patient_id=f"RIV-{{number}}", site=site, status="in_follow_up", created_at=now)
        save_identity(patient=patient, facts=IdentityFacts(given_name="Ada", family_name=f"Canary{{number}}"), by=None)
        Visit.objects.create(
            patient=patient, site=site, timepoint=timepoint, visit_code="M12",
            target_date=today, window_opens=today - timedelta(days=30), window_closes=today + timedelta(days=30),
            anchor_date=today - timedelta(days=365), created_on=today - timedelta(days=365))
"""
# One more visit, which becomes due some days from now.
DUE_LATER = """
from datetime import timedelta
from registry import clock
from registry.audit.acting import acting_as
from registry.patients.models import Patient
from followup.schedule.models import Timepoint, Visit

day = clock.now().date() + timedelta(days=60)
with acting_as("system:command"):
    patient = Patient.objects.order_by("pk").first()
    Visit.objects.create(
        patient=patient, site=patient.site, timepoint=Timepoint.objects.get(code="M18"), visit_code="M18", target_date=day,
        window_opens=day - timedelta(days=10), window_closes=day + timedelta(days=10),
        anchor_date=day - timedelta(days=365), created_on=day - timedelta(days=365))
"""
MAKE_REPORT = """
from registry import clock
from registry.access.models import User
from registry.audit.acting import acting_as
from registry.patients.models import Patient
from followup.reports import actions

nurse = User.objects.get(username="nurse0")
with acting_as(nurse):
    actions.request_patient(patient=Patient.objects.order_by("pk").first(), with_identifiers=False, reason="",
        form_token="one", by=nurse, now=clock.now())
actions.make_waiting(now=clock.now)
"""
OPEN_REPORT = f"""
import json
from django.test import Client
from followup.reports.models import ReportRun

browser = Client(SERVER_NAME="localhost")
signed_in = browser.post("/accounts/login/", {{"login": "nurse0", "password": "{PASSWORD}"}}).status_code
run = ReportRun.objects.get()
answer = browser.get(f"/reports/{{run.pk}}/pdf/")
content = b"".join(answer.streaming_content) if answer.streaming else answer.content
print(json.dumps([signed_in, answer.status_code, content[:5].decode("latin1")]))
"""
NAMES = """
import json
from registry.patients.identity import identities_of
from registry.patients.models import Patient
print(json.dumps([identities_of([one])[one.pk].family_name for one in Patient.objects.order_by("pk")]))
"""
# Writes people one after the other, and says of each when it was stored.
WRITE_ON = """
import sys
from registry import clock
from registry.access.models import Site
from registry.audit.acting import acting_as
from registry.patients.models import Patient

site = Site.objects.get(code="RIV")
for number in range(100000):
    with acting_as("system:command"):
        Patient.objects.create(patient_id=f"{prefix}-{{number}}", site=site, status="screening", created_at=clock.now())
    with open("{log}", "a") as file:
        file.write(f"{prefix}-{{number}}\\n")
"""
