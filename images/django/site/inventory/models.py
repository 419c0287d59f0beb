"""Where the company's equipment stands and who looked after it."""

from django.db import models


class Location(models.Model):
    name = models.CharField(max_length=80, unique=True)
    street = models.CharField(max_length=120)
    town = models.CharField(max_length=80)

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name


class Equipment(models.Model):
    class State(models.TextChoices):
        IN_USE = "in use"
        SPARE = "spare"
        REPAIR = "in repair"
        RETIRED = "retired"

    tag = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=40)
    location = models.ForeignKey(Location, on_delete=models.PROTECT, related_name="equipment")
    state = models.CharField(max_length=20, choices=State.choices, default=State.IN_USE)
    bought_on = models.DateField()
    price_gbp = models.DecimalField(max_digits=9, decimal_places=2)

    class Meta:
        ordering = ["tag"]
        verbose_name_plural = "equipment"

    def __str__(self):
        return f"{self.tag} {self.name}"


class Inspection(models.Model):
    equipment = models.ForeignKey(Equipment, on_delete=models.CASCADE, related_name="inspections")
    inspected_on = models.DateField()
    inspector = models.CharField(max_length=80)
    passed = models.BooleanField()
    remark = models.TextField(blank=True)

    class Meta:
        ordering = ["-inspected_on"]

    def __str__(self):
        return f"{self.equipment.tag} on {self.inspected_on}"
