FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
RUN useradd --create-home --uid 1000 app
WORKDIR /app
COPY requirements.txt .
RUN pip install --quiet --requirement requirements.txt
COPY --chown=app . .
RUN set -a && . ./tests/production.env && python manage.py collectstatic --no-input
ENV SCRATCH_DIR=/tmp/scratch
USER app
EXPOSE 8000
CMD ["gunicorn", "--config", "config/gunicorn.py", "config.wsgi"]
