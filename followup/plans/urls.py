from django.urls import path

from followup.plans.views import decisions, drafts, showing

app_name = "plans"
urlpatterns = [
    path("", drafts.plan_list, name="plan_list"),
    path("new/", drafts.draft_new, name="draft_new"),
    path("import/", drafts.draft_import, name="draft_import"),
    path("drafts/<int:pk>/", drafts.draft, name="draft"),
    path("drafts/<int:pk>/head/", drafts.draft_head, name="draft_head"),
    path("drafts/<int:pk>/assessments/", drafts.assessment_edit, name="assessment_edit"),
    path("drafts/<int:pk>/visits/new/", drafts.line_new, name="line_new"),
    path("drafts/<int:pk>/visits/<str:code>/", drafts.line_edit, name="line_edit"),
    path("drafts/<int:pk>/visits/<str:code>/remove/", drafts.line_remove, name="line_remove"),
    path("drafts/<int:pk>/calendar/", showing.draft_calendar, name="draft_calendar"),
    path("drafts/<int:pk>/changes/", showing.draft_changes, name="draft_changes"),
    path("drafts/<int:pk>/effects/", showing.draft_effects, name="draft_effects"),
    path("drafts/<int:pk>/plan.toml", showing.draft_toml, name="draft_toml"),
    path("drafts/<int:pk>/ask/", decisions.draft_ask, name="draft_ask"),
    path("drafts/<int:pk>/take-back/", decisions.draft_take_back, name="draft_take_back"),
    path("drafts/<int:pk>/approve/", decisions.draft_approve, name="draft_approve"),
    path("drafts/<int:pk>/refuse/", decisions.draft_refuse, name="draft_refuse"),
    path("drafts/<int:pk>/put-in-force/", decisions.draft_put_in_force, name="draft_put_in_force"),
    path("drafts/<int:pk>/discard/", decisions.draft_discard, name="draft_discard"),
    path("versions/<int:pk>/", showing.version, name="version"),
    path("versions/<int:pk>/calendar/", showing.version_calendar, name="version_calendar"),
    path("versions/<int:pk>/plan.toml", showing.version_toml, name="version_toml"),
]
