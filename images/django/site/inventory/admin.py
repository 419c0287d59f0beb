from django.contrib import admin

from inventory.models import Equipment, Inspection, Location


class InspectionInline(admin.TabularInline):
    model = Inspection
    extra = 0


@admin.register(Location)
class LocationAdmin(admin.ModelAdmin):
    list_display = ["name", "street", "town"]


@admin.register(Equipment)
class EquipmentAdmin(admin.ModelAdmin):
    list_display = ["tag", "name", "kind", "location", "state"]
    list_filter = ["state", "location", "kind"]
    search_fields = ["tag", "name"]
    inlines = [InspectionInline]
