from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.decorators import display as column
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from billing import figures, people
from billing.admin import sending
from billing.admin.saving import SavedOnce
from billing.admin.seen import SeenForm
from billing.people import grants

admin.site.unregister(User)
admin.site.unregister(Group)

TO_GIVE = {
    "user_permissions": grants.permissions_to_give,
    "permissions": grants.permissions_to_give,
    "groups": grants.groups_to_give,
}


class PickManyField(forms.ModelMultipleChoiceField):
    """A choice of rows that refuses a key beyond the range of its column, instead of asking the database for it."""

    def _check_values(self, value: Any) -> Any:
        rows: Any = self.queryset
        column = rows.model._meta.pk
        for key in value:
            self.validate_no_null_characters(key)
            try:
                column.run_validators(column.to_python(key))
            except ValidationError as error:
                refusal = self.error_messages["invalid_choice"]
                raise ValidationError(refusal, code="invalid_choice", params={"value": key}) from error
        return super()._check_values(value)  # type: ignore[misc]  # the stubs leave it out


def _person(request: HttpRequest) -> User:
    # The panel requires a log-in.
    return cast(User, request.user)


class Granting(SavedOnce):
    """Offers and accepts only the permissions and groups that the person at the form may give."""

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **options: Any) -> forms.Field | None:
        field = super().formfield_for_manytomany(db_field, request, form_class=PickManyField, **options)
        if field and db_field.name in TO_GIVE and not request.user.is_superuser:
            field.queryset = field.queryset.filter(pk__in=TO_GIVE[db_field.name](by=_person(request)))
        return field


class PersonForm(SeenForm, UserChangeForm):
    pass


class NewPersonForm(UserCreationForm):
    # The refusal of a form whose fields are valid.
    refusal: ValidationError | None = None

    def clean(self) -> dict[str, Any]:
        if self.refusal is not None:
            self.add_error(None, self.refusal)
        return super().clean()


def _with_token(request: HttpRequest, response: Any) -> HttpResponse:
    """Add the one-time token to the page of a form that is Django's own."""
    if (context := getattr(response, "context_data", None)) is not None:
        context["form_token"] = sending.token_of(request)
    return response


class GroupForm(SeenForm, forms.ModelForm):
    pass


@admin.register(User)
class UserAdmin(DjangoUserAdmin, Granting):  # type: ignore[misc]  # Django's own takes `change` by name alone
    form = PersonForm
    add_form = NewPersonForm
    change_password_form = AdminPasswordChangeForm
    actions = None
    ordering = ("username",)
    list_display = ("username", "first_name", "last_name", "is_active", "is_superuser", "last_login_text")
    list_filter_submit = True
    # People belong to no workspace, so their times have no zone but UTC.
    fieldsets = tuple(
        ("Important dates (UTC)" if "last_login" in options["fields"] else title, options)
        for title, options in DjangoUserAdmin.fieldsets or ()
    )

    @column(description="Last login (UTC)", ordering="last_login")
    def last_login_text(self, user: User) -> str:
        return figures.moment(user.last_login, ZoneInfo("UTC"))

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or grants.may_change_person(by=_person(request), person=obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        # The dates are records of what happened, not entries.
        dates = ("last_login", "date_joined")
        fixed = dates if request.user.is_superuser else (*dates, "is_superuser")
        return (*super().get_readonly_fields(request, obj), *fixed)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        view = super().user_change_password

        def in_turn() -> HttpResponse:
            with people.hashing(username=request.user.get_username()):
                return view(request, id, form_url)

        if request.method != "POST":
            return _with_token(request, view(request, id, form_url))
        try:
            # A form that is sent again waits for the first one, not for a turn to hash.
            response = sending.answer_once(request, in_turn, otherwise=reverse(self.url_name("changelist")))
        except people.Busy as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(request.get_full_path())
        return _with_token(request, response)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        response = super().add_view(request, form_url, extra_context)
        refusal = getattr(request, "panel_refusal", None)
        if refusal is not None and isinstance(refusal.__cause__, people.Busy):
            response.status_code = 503
            response.headers["Retry-After"] = str(people.Busy.retry_after)
        return response

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        if change:
            return super().save_form(request, form, change)
        try:
            with people.hashing(username=request.user.get_username()):
                return super().save_form(request, form, change)
        except people.Busy as refusal:
            raise ValidationError(str(refusal)) from refusal


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, Granting):
    form = GroupForm
    actions = None
    ordering = ("name",)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_change(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_change(request, obj)

    def _may_change(self, request: HttpRequest, group: Group | None) -> bool:
        return group is None or grants.may_change_group(by=_person(request), group=group)
