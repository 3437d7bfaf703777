"""Marking a part of the trail as reviewed."""

from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Max, QuerySet

from registry.access.models import User
from registry.audit.models import AuditEntry
from registry.trail.models import ReviewMark


def mark_reviewed(
    *, entries: QuerySet[AuditEntry], span: str, note: str, form_token: str, by: User, now: datetime
) -> list[ReviewMark]:
    """One mark for each site of the reviewer, or one for all sites. The same form sent twice marks once."""
    by.require("audit.review")
    scope = by.scope("audit.review")
    sites = [None] if scope.everywhere else sorted(scope.site_ids)
    count, last = entries.count(), entries.aggregate(last=Max("pk"))["last"] or 0
    made = []
    for nth, site in enumerate(sites):
        token = f"{form_token}{f'-{nth}' if nth else ''}"
        if twin := ReviewMark.objects.filter(form_token=token).first():
            if twin.reviewed_by_id != by.pk:
                raise PermissionDenied("This form was sent by somebody else. Open it again.")
            made.append(twin)
            continue
        mark = ReviewMark(
            site_id=site, reviewed_by=by, reviewed_at=now, span=span[:300], entries=count, last_entry=last,
            note=note, form_token=token,
        )  # fmt: skip
        try:
            with transaction.atomic():
                mark.save()
        except IntegrityError:  # the second of two clicks at the same moment
            mark = ReviewMark.objects.get(form_token=token, reviewed_by=by)
        made.append(mark)
    return made
