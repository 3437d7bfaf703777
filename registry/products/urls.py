from django.urls import path

from registry.products import views

app_name = "products"
urlpatterns = [
    path("", views.lot_list, name="lot_list"),
    path("lots/new/", views.lot_add, name="lot_add"),
    path("lots/<int:pk>/", views.lot, name="lot"),
    path("lots/<int:pk>/change/", views.lot_edit, name="lot_edit"),
    path("lots/<int:pk>/tests/", views.lot_tests, name="lot_tests"),
    path("lots/<int:pk>/state/", views.lot_state, name="lot_state"),
    path("donors/new/", views.donor_add, name="donor_add"),
    path("donors/<int:pk>/", views.donor_edit, name="donor_edit"),
]
