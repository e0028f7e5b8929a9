"""The log-in page and the page to change one's password: both check passwords, so both are throttled."""

from contextlib import AbstractContextManager
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from unfold.forms import AdminOwnPasswordChangeForm, AuthenticationForm

from billing import people
from billing.admin import sending

COOKIE = "arrears_device"


def address_of(request: HttpRequest) -> str:
    return people.client_address(
        peer=request.META.get("REMOTE_ADDR", ""),
        forwarded_for=request.META.get("HTTP_X_FORWARDED_FOR", ""),
        trusted=settings.TRUSTED_PROXIES,
    )


def _attempt(request: HttpRequest, username: str, *, is_logged_in: bool = False) -> AbstractContextManager[None]:
    return people.attempt(
        username=username,
        address=address_of(request),
        mark=request.COOKIES.get(COOKIE, ""),
        is_logged_in=is_logged_in,
        as_of=timezone.now(),
    )


class LoginForm(AuthenticationForm):
    def clean(self) -> dict[str, Any]:
        username = self.cleaned_data.get("username")
        if not username or not self.cleaned_data.get("password"):
            return super().clean()
        try:
            with _attempt(self.request, username):
                return super().clean()
        except (people.TooManyAttempts, people.Busy) as refusal:
            raise _refused(self, refusal) from refusal


class OwnPasswordForm(AdminOwnPasswordChangeForm):
    request: HttpRequest

    def clean_old_password(self) -> str:
        try:
            with _attempt(self.request, self.user.get_username(), is_logged_in=True):
                return super().clean_old_password()
        except (people.TooManyAttempts, people.Busy) as refusal:
            raise _refused(self, refusal) from refusal


def _refused(form: Any, refusal: people.TooManyAttempts | people.Busy) -> ValidationError:
    form.refusal = refusal
    return ValidationError(str(refusal), code="throttled")


def _tell(response: Any, form: Any) -> HttpResponse:
    """Set the status of a response whose form was refused before its password was checked."""
    match getattr(form, "refusal", None):
        case None:
            return response
        case refusal:
            response.status_code = 429 if isinstance(refusal, people.TooManyAttempts) else 503
            response.headers["Retry-After"] = str(refusal.retry_after)
            return response


def login(request: HttpRequest) -> HttpResponse:
    """Log in, and mark the browser as known for this user."""
    response = admin.site.login(request)
    if request.method == "POST" and response.status_code == 302 and request.user.is_authenticated:
        username = request.user.get_username()
        response.set_cookie(
            COOKIE,
            people.mark_for(username=username, former=request.COOKIES.get(COOKIE, "")),
            max_age=settings.LOGIN_DEVICE_DAYS * 24 * 3600,
            path=reverse("admin:login"),
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
    return _tell(response, (getattr(response, "context_data", None) or {}).get("form"))


class OwnPasswordView(PasswordChangeView):
    form_class = OwnPasswordForm
    template_name = admin.site.password_change_template or "registration/password_change_form.html"
    success_url = reverse_lazy("admin:password_change_done")

    def get_form(self, form_class: Any = None) -> Any:
        form: Any = super().get_form(form_class)
        form.request = self.request
        return form

    def get_context_data(self, **options: Any) -> dict[str, Any]:
        page = {**admin.site.each_context(self.request), "form_token": sending.token_of(self.request)}
        return {**page, **super().get_context_data(**options)}

    def post(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        # Checked before the old password, which is no longer valid after the form was processed.
        if done := sending.done_before(request):
            return sending.answer_again(request, done, otherwise=str(self.success_url))
        return super().post(request, *args, **options)

    def form_valid(self, form: Any) -> HttpResponse:
        save = super().form_valid

        def in_turn() -> HttpResponse:
            with people.hashing(username=form.user.get_username()):
                return save(form)

        try:
            return sending.answer_once(self.request, in_turn, otherwise=str(self.success_url))
        except people.Busy as refusal:
            form.add_error(None, _refused(form, refusal))
            return self.form_invalid(form)

    def form_invalid(self, form: Any) -> HttpResponse:
        return _tell(super().form_invalid(form), form)


change_own_password = OwnPasswordView.as_view()
admin.site.login_form = LoginForm
