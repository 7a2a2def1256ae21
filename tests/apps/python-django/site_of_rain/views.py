import os
import secrets

from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

counted = 0
is_migrated = False


def hello(request):
    print("hello", request.META["REMOTE_ADDR"])
    return HttpResponse("Hello from Django on Virga\n", content_type="text/plain")


def environment(request, name):
    if name not in os.environ:
        raise Http404
    return HttpResponse(os.environ[name], content_type="text/plain")


@csrf_exempt
def echo(request):
    return HttpResponse(request.body, content_type="application/octet-stream")


def stream(request):
    return StreamingHttpResponse((f"piece {number}\n" for number in range(5)), content_type="text/plain")


def random_digits(request):
    return HttpResponse(secrets.token_hex(16), content_type="text/plain")


def count(request):
    global counted
    counted += 1
    return HttpResponse(str(counted), content_type="text/plain")


def page(request, name):
    return render(request, "page.html", {"name": name})


def users(request):
    """The models and migrations of Django's own auth app, in a database in memory."""
    global is_migrated
    if not is_migrated:
        call_command("migrate", verbosity=0)
        is_migrated = True
    User.objects.get_or_create(username="ada")
    return JsonResponse({"users": [user.username for user in User.objects.all()]})
