from django.urls import path

from registry.handover.views import openings, transfers

app_name = "handover"
urlpatterns = [
    path("", transfers.transfer_list, name="transfer_list"),
    path("patients/<str:patient_id>/", transfers.transfer_ask, name="transfer_ask"),
    path("transfers/<int:pk>/", transfers.transfer, name="transfer"),
    path("transfers/<int:pk>/accept/", transfers.transfer_accept, name="transfer_accept"),
    path("transfers/<int:pk>/decline/", transfers.transfer_decline, name="transfer_decline"),
    path("transfers/<int:pk>/withdraw/", transfers.transfer_withdraw, name="transfer_withdraw"),
    path("transfers/<int:pk>/checked/", transfers.transfer_checked, name="transfer_checked"),
    path("emergency/", openings.record_open, name="record_open"),
    path("emergency/close/", openings.record_close, name="record_close"),
    path("emergency/readings/", openings.opening_list, name="opening_list"),
    path("emergency/readings/<int:pk>/seen/", openings.opening_seen, name="opening_seen"),
]
