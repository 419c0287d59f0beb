"""Read-only pages; changes go through the admin."""

from django.http import JsonResponse
from django.shortcuts import get_object_or_404, render

from inventory.models import Equipment


def equipment_list(request):
    equipment = Equipment.objects.select_related("location")
    return render(request, "inventory/list.html", {"equipment": equipment})


def equipment_detail(request, pk):
    item = get_object_or_404(Equipment.objects.select_related("location"), pk=pk)
    return render(request, "inventory/detail.html", {"item": item})


def equipment_json(request):
    rows = Equipment.objects.values("tag", "name", "kind", "state", "location__name")
    return JsonResponse({"equipment": list(rows)})
