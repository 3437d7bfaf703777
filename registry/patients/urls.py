"""The patient record itself stands in the desk room. Patient ids hold a digit, so words here cannot be ids."""

from django.urls import path

from registry.patients.views import edit, enrol, erasures, lists, queries

app_name = "patients"
urlpatterns = [
    path("", lists.patient_list, name="patient_list"),
    path("search/", lists.patient_search, name="patient_search"),
    path("enrol/", enrol.enrol, name="enrol"),
    path("queries/", queries.query_list, name="query_list"),
    path("queries/<int:pk>/", queries.query, name="query"),
    path("queries/<int:pk>/answer/", queries.query_answer, name="query_answer"),
    path("queries/<int:pk>/close/", queries.query_close, name="query_close"),
    path("erasures/", erasures.erasure_list, name="erasure_list"),
    path("erasures/<int:pk>/", erasures.erasure, name="erasure"),
    path("erasures/<int:pk>/carry-out/", erasures.erasure_carry_out, name="erasure_carry_out"),
    path("erasures/<int:pk>/refuse/", erasures.erasure_refuse, name="erasure_refuse"),
    path("erasures/<int:pk>/take-back/", erasures.erasure_take_back, name="erasure_take_back"),
    path("<str:patient_id>/enrolment/edit/", edit.enrolment_edit, name="enrolment_edit"),
    path("<str:patient_id>/identity/edit/", edit.identity_edit, name="identity_edit"),
    path("<str:patient_id>/eligibility/edit/", edit.eligibility_edit, name="eligibility_edit"),
    path("<str:patient_id>/consent/new/", edit.consent_add, name="consent_add"),
    path("<str:patient_id>/status/new/", edit.status_add, name="status_add"),
    path("<str:patient_id>/erase/", erasures.erase, name="erase"),
    path("<str:patient_id>/query/", queries.query_raise, name="query_raise"),
    path("<str:patient_id>/contacts/", edit.contact_list, name="contact_list"),
    path("<str:patient_id>/contacts/<int:pk>/verify/", edit.contact_verify, name="contact_verify"),
    path("<str:patient_id>/contacts/<int:pk>/end/", edit.contact_end, name="contact_end"),
]
