"""Two roles, as groups of Django's users: a viewer sees everything, an operator may change what can be changed."""

from __future__ import annotations

from enum import StrEnum

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, Group, User
from django.db.models import Q

Visitor = AbstractBaseUser | AnonymousUser
_KNOWN = "role_in_choreoscope"


class Role(StrEnum):
    VIEWER = "viewer"
    OPERATOR = "operator"


class Taken(Exception):
    """There is a user of that name already."""


def may_read(user: Visitor) -> bool:
    return settings.ACCESS == "read" or role_of(user) is not None


def may_operate(user: Visitor) -> bool:
    return role_of(user) == Role.OPERATOR


def role_of(user: Visitor) -> Role | None:
    """None for strangers, and for users who have neither role. One query, once for each object: a request has its
    own."""
    if not isinstance(user, User) or not user.is_active:
        return None
    if not hasattr(user, _KNOWN):
        setattr(user, _KNOWN, _role(user))
    known: Role | None = getattr(user, _KNOWN)
    return known


def _role(user: User) -> Role | None:
    if user.is_superuser:
        return Role.OPERATOR
    names = set(user.groups.values_list("name", flat=True))
    return next((role for role in (Role.OPERATOR, Role.VIEWER) if role in names), None)


def any_operator() -> bool:
    """Whether logging in lets anybody do anything. One query."""
    operators = Q(groups__name=Role.OPERATOR) | Q(is_superuser=True)
    return User.objects.filter(operators, is_active=True).exists()


def add_user(name: str, password: str, role: Role) -> User:
    if User.objects.filter(username=name).exists():
        raise Taken(f"There is a user named {name} already.")
    user = User.objects.create_user(name, password=password)
    user.groups.add(Group.objects.get_or_create(name=role)[0])
    return user
