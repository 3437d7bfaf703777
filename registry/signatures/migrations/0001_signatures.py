import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("access", "0003_form_tokens"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Watch",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("last_entry", models.BigIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="watch_is_one_row")
                ],
            },
        ),
        migrations.CreateModel(
            name="LateReview",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("record", models.CharField(max_length=60)),
                ("row_pk", models.BigIntegerField()),
                (
                    "part",
                    models.CharField(
                        help_text="What came late, for example labs.labresult:12", max_length=80
                    ),
                ),
                ("part_sha256", models.CharField(max_length=64)),
                ("reviewed_at", models.DateTimeField()),
                (
                    "reviewed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="access.site"
                    ),
                ),
            ],
            options={
                "ordering": ["record", "row_pk", "pk"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("record", "row_pk", "part", "part_sha256", "reviewed_by"),
                        name="late_part_reviewed_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Signature",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "record",
                    models.CharField(
                        help_text="The kind of record, for example schedule.visit", max_length=60
                    ),
                ),
                ("row_pk", models.BigIntegerField(verbose_name="record number")),
                (
                    "patient_id",
                    models.CharField(
                        blank=True, help_text="Pseudonymous; blank where it is about none", max_length=40
                    ),
                ),
                (
                    "meaning",
                    models.CharField(
                        choices=[
                            ("authorship", "Authorship"),
                            ("review", "Review"),
                            ("approval", "Approval"),
                            ("responsibility", "Responsibility"),
                        ],
                        max_length=14,
                    ),
                ),
                ("printed_name", models.CharField(max_length=120)),
                ("role", models.CharField(help_text="As held at that moment", max_length=200)),
                ("signed_at", models.DateTimeField()),
                ("content", models.TextField(help_text="Canonical JSON of exactly what was signed")),
                ("content_sha256", models.CharField(max_length=64)),
                ("software_version", models.CharField(max_length=40)),
                (
                    "nth",
                    models.PositiveSmallIntegerField(
                        help_text="Of this person's with this meaning under this record"
                    ),
                ),
                (
                    "after_entry",
                    models.BigIntegerField(help_text="The newest entry of the trail at that moment"),
                ),
                ("form_token", models.CharField(max_length=40)),
                ("seal", models.CharField(help_text="Keyed digest over all of the above", max_length=64)),
                (
                    "signer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: all sites",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="access.site",
                    ),
                ),
            ],
            options={
                "ordering": ["record", "row_pk", "pk"],
                "indexes": [models.Index(fields=["record", "row_pk"], name="signature_by_record")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("meaning__in", ["authorship", "review", "approval", "responsibility"])
                        ),
                        name="signature_has_a_meaning",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("printed_name", ""), _negated=True),
                            models.Q(("role", ""), _negated=True),
                            models.Q(("content", ""), _negated=True),
                            models.Q(("seal", ""), _negated=True),
                        ),
                        name="signature_says_who_and_what",
                    ),
                    models.UniqueConstraint(
                        fields=("record", "row_pk", "signer", "meaning", "nth"),
                        name="signature_is_counted_once",
                    ),
                    models.UniqueConstraint(fields=("form_token",), name="one_signature_per_form"),
                ],
            },
        ),
    ]
