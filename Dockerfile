# Three stages: what is built, what runs the tests (docker compose run --rm tests), and the bot by itself.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    UV_COMPILE_BYTECODE=1 \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never
RUN pip install 'uv>=0.8'
WORKDIR /src
# The dependencies change seldom, so they have a layer of their own; the lock's hashes hold for all of them.
COPY pyproject.toml requirements.lock ./
# What SQLite does without: EXTRAS=postgres.
ARG EXTRAS=
RUN uv venv /opt/tocsin \
 && uv pip install --python /opt/tocsin/bin/python --constraints requirements.lock --requirements pyproject.toml \
    ${EXTRAS:+--extra "$EXTRAS"}
COPY README.md LICENSE ./
COPY migrations migrations
COPY bot bot
RUN uv pip install --python /opt/tocsin/bin/python --build-constraints requirements.lock --no-deps .


FROM build AS tests
COPY . .
RUN ./run test --version
ENTRYPOINT ["./run"]
CMD ["test"]


FROM python:3.13-slim AS bot
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin tocsin \
 && install --directory --owner=tocsin --group=tocsin --mode=0700 /data
COPY --from=build /opt/tocsin /opt/tocsin
ENV PATH=/opt/tocsin/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TOCSIN_HTTP=127.0.0.1:8080
# The default database, data/tocsin.db, is found from here: /data is all that must be kept.
WORKDIR /
VOLUME /data
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import http.client, os, sys; at = os.environ.get('TOCSIN_HTTP') or 'off'; at == 'off' and sys.exit(); ask = http.client.HTTPConnection(at, timeout=4); ask.request('GET', '/healthz'); sys.exit(ask.getresponse().status != 200)"]
ENTRYPOINT ["tocsin"]
CMD ["run"]
