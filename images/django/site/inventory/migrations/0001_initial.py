
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Equipment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('tag', models.CharField(max_length=20, unique=True)),
                ('name', models.CharField(max_length=120)),
                ('kind', models.CharField(max_length=40)),
                ('state', models.CharField(choices=[('in use', 'In Use'), ('spare', 'Spare'), ('in repair', 'Repair'), ('retired', 'Retired')], default='in use', max_length=20)),
                ('bought_on', models.DateField()),
                ('price_gbp', models.DecimalField(decimal_places=2, max_digits=9)),
            ],
            options={
                'verbose_name_plural': 'equipment',
                'ordering': ['tag'],
            },
        ),
        migrations.CreateModel(
            name='Location',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80, unique=True)),
                ('street', models.CharField(max_length=120)),
                ('town', models.CharField(max_length=80)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Inspection',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('inspected_on', models.DateField()),
                ('inspector', models.CharField(max_length=80)),
                ('passed', models.BooleanField()),
                ('remark', models.TextField(blank=True)),
                ('equipment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='inspections', to='inventory.equipment')),
            ],
            options={
                'ordering': ['-inspected_on'],
            },
        ),
        migrations.AddField(
            model_name='equipment',
            name='location',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='equipment', to='inventory.location'),
        ),
    ]
