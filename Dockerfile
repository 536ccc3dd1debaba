# One image for web, workers and beat; compose.yaml says which is which.
# Without local judges it is much smaller: docker build --build-arg EXTRAS= .

FROM python:3.12-slim AS build
ARG EXTRAS=[worker]
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
WORKDIR /tiebreak
COPY pyproject.toml constraints.txt ./
# The packages first, in a layer of their own: they change less often than the code.
RUN mkdir annotation config jobs judging training \
    && touch README.md LICENSE \
    && /venv/bin/pip install --quiet -c constraints.txt ".${EXTRAS}" \
    && /venv/bin/pip uninstall --quiet --yes tiebreak

FROM python:3.12-slim
RUN useradd --uid 10001 --create-home tiebreak \
    && install --directory --owner tiebreak --mode 0700 /data
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TIEBREAK_HOME=/data
COPY --from=build /venv /venv
WORKDIR /tiebreak
COPY . .
USER tiebreak
VOLUME /data
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", \
     "--blocking-threads", "8", "--no-ws", "--respawn-failed-workers", "config.wsgi:application"]
