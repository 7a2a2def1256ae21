from django.urls import path

from . import views

urlpatterns = [
    path("", views.hello),
    path("env/<name>", views.environment),
    path("echo", views.echo),
    path("stream", views.stream),
    path("random", views.random_digits),
    path("count", views.count),
    path("page/<name>", views.page),
    path("users", views.users),
]
