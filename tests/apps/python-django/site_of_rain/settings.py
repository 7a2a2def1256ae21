from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
# A sample has no secrets; an app of yours reads this from its environment.
SECRET_KEY = "of-a-sample"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "site_of_rain"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "site_of_rain.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
WSGI_APPLICATION = "site_of_rain.wsgi.application"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
USE_TZ = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 << 20
