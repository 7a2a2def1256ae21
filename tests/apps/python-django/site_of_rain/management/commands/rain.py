from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "A command of the app, to be run as a task."

    def add_arguments(self, parser):
        parser.add_argument("words", nargs="*")

    def handle(self, *_, words, **__):
        self.stdout.write(" ".join(["task done", *words]))
