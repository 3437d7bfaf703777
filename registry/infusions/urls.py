from django.urls import path

from registry.infusions import views

app_name = "infusions"
urlpatterns = [
    path("given/<int:pk>/", views.infusion, name="infusion"),
    path("given/<int:pk>/correct/", views.correct, name="correct"),
    path("orders/<int:pk>/cancel/", views.order_cancel, name="order_cancel"),
    path("<str:patient_id>/order/", views.order, name="order"),
    path("<str:patient_id>/record/", views.record, name="record"),
    path("<str:patient_id>/sheet/", views.sheet, name="sheet"),
]
