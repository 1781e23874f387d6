ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim AS build
ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir "uv==${UV_VERSION}"
ENV UV_PROJECT_ENVIRONMENT=/opt/topups UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-default-groups --extra simulator --extra codec --extra otel --extra postgresql --no-install-project
COPY topups topups
COPY oneclickdz oneclickdz
COPY activities activities
COPY workflows workflows
COPY watch watch
COPY starter starter
COPY simulator simulator
COPY worker.py .
RUN uv sync --frozen --no-default-groups --extra simulator --extra codec --extra otel --extra postgresql --no-editable

FROM python:${PYTHON_VERSION}-slim
RUN useradd --system --create-home --uid 10001 topups \
 && install -d -o topups -g topups /var/lib/topups
COPY --from=build /opt/topups /opt/topups
ENV PATH=/opt/topups/bin:$PATH PYTHONUNBUFFERED=1 TOPUPS_STATE_DIR=/var/lib/topups
USER topups
WORKDIR /var/lib/topups
CMD ["python", "-m", "worker"]
