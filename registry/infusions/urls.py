from django.urls import path

from registry.infusions import correcting_views, day_views, rare_views, views

app_name = "infusions"
urlpatterns = [
    path("given/<int:pk>/", views.infusion, name="infusion"),
    path("given/<int:pk>/correct/", correcting_views.correct, name="correct"),
    path("orders/<int:pk>/cancel/", views.order_cancel, name="order_cancel"),
    path("other-days/", day_views.day_correction_list, name="day_correction_list"),
    path("other-days/<int:pk>/", day_views.day_correction, name="day_correction"),
    path(
        "other-days/<int:pk>/take-back/", day_views.day_correction_take_back, name="day_correction_take_back"
    ),
    path("<str:patient_id>/order/", views.order, name="order"),
    path("<str:patient_id>/record/", views.record, name="record"),
    path("unblindings/", rare_views.unblinding_list, name="unblinding_list"),
    path("<str:patient_id>/sheet/", rare_views.sheet, name="sheet"),
    path("<str:patient_id>/another-day/", rare_views.date_request, name="date_request"),
    path("<str:patient_id>/unblind/", rare_views.unblind, name="unblind"),
]
