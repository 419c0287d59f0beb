"""The register, its details, an export and the admin."""

from django.contrib import admin
from django.urls import path
from inventory import views

admin.site.site_header = "Pineharbour equipment register"

urlpatterns = [
    path("", views.equipment_list, name="equipment-list"),
    path("equipment/<int:pk>/", views.equipment_detail, name="equipment-detail"),
    path("api/equipment.json", views.equipment_json, name="equipment-json"),
    path("admin/", admin.site.urls),
]
