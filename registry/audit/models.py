"""The trail. Rows are written by database triggers and can be neither changed nor removed."""

from django.db import models


class AuditEntry(models.Model):
    """One write of one row, or one event such as an export or a reading of identifiers."""

    at = models.DateTimeField()
    table_name = models.CharField(max_length=80)
    row_id = models.CharField(max_length=80)
    action = models.CharField(max_length=30)
    old = models.TextField()
    new = models.TextField()
    actor = models.CharField(max_length=150)
    user_id = models.BigIntegerField(null=True)
    role = models.CharField(max_length=200)
    site = models.CharField(max_length=200)
    reason = models.TextField()
    channel = models.CharField(max_length=40)
    request_id = models.CharField(max_length=40)
    software = models.CharField(
        max_length=40, db_default="", help_text="Version of the registry that wrote it."
    )
    about_patient = models.BigIntegerField(null=True, help_text="The patient whose record it belongs to.")
    about_site = models.BigIntegerField(
        null=True, help_text="The site the row belonged to when it was written."
    )
    nonce = models.CharField(
        max_length=32, db_default="", help_text="Empty on entries older than version 0.2."
    )
    mac = models.CharField(max_length=64, db_default="", help_text="Keyed code over every other column.")

    class Meta:
        db_table = "audit_entry"
        indexes = [
            models.Index(fields=["table_name", "row_id", "id"], name="audit_row"),
            models.Index(fields=["at"], name="audit_at"),
            models.Index(fields=["about_patient", "id"], name="audit_patient"),
            models.Index(fields=["about_site", "id"], name="audit_site"),
            models.Index(fields=["user_id", "id"], name="audit_person"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.table_name} {self.row_id} by {self.actor}"


class AuditSeal(models.Model):
    """Closes a batch of entries: a keyed digest over the previous seal and every entry's own digest."""

    at = models.DateTimeField()
    entries = models.PositiveIntegerField()
    last_entry = models.BigIntegerField()
    digest = models.CharField(max_length=64)

    class Meta:
        db_table = "audit_seal"

    def __str__(self) -> str:
        return f"seal {self.pk}: {self.entries} entries, {self.digest[:12]}"


class SealedEntry(models.Model):
    """The keyed digest of one entry, as it was when sealed. Without a link: an entry may commit after a later one."""

    entry_id = models.BigIntegerField(primary_key=True)
    seal_id = models.BigIntegerField()
    digest = models.CharField(max_length=64)

    class Meta:
        db_table = "audit_sealed_entry"
        indexes = [models.Index(fields=["seal_id"], name="audit_sealed_by")]

    def __str__(self) -> str:
        return f"entry {self.entry_id} in seal {self.seal_id}"
