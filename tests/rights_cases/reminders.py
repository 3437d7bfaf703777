from followup.reminders.models import MailMessage, Notice
from tests.rights_world import Case, of_row

CASES = {
    "reminders:control": Case(("reminders.control",)),
    "reminders:message_again": Case(("reminders.control",), of_row(MailMessage)),
    "reminders:message_settle": Case(("reminders.control",), of_row(MailMessage)),
    "reminders:notice_again": Case(("reminders.control",), of_row(Notice)),
    "reminders:notice_settle": Case(("reminders.control",), of_row(Notice)),
}
