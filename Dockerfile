# The stack's images: targets manager, airflow and postgres.  The image that tasks run in has a
# folder of its own, runner_image/.
ARG BASE_IMAGE=debian:trixie-slim

FROM ${BASE_IMAGE} AS python
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/log/*.log /var/log/apt


FROM python AS builder
# setup/venv.sh reads this line too.
ARG UV_VERSION=0.13.9
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3-venv \
    && python3 -m venv /opt/uv \
    && /opt/uv/bin/pip install --no-cache-dir "uv==${UV_VERSION}"
ENV PATH=/opt/uv/bin:$PATH \
    UV_COMPILE_BYTECODE=1 \
    UV_FROZEN=1 \
    UV_LINK_MODE=copy \
    UV_NO_PROGRESS=1 \
    UV_PROJECT_ENVIRONMENT=/opt/air-executor \
    UV_PYTHON=/usr/bin/python3 \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY pyproject.toml uv.lock ./
# The distribution's metadata names them; inside an image nobody reads them.
RUN touch README.md LICENSE


# What comes from uv.lock changes seldom and is big; it keeps layers of its own.
FROM builder AS manager-python
RUN --mount=type=cache,target=/root/.cache/uv uv sync --extra manager --no-install-project


FROM builder AS airflow-python
RUN --mount=type=cache,target=/root/.cache/uv uv sync --extra airflow --group stack --no-install-project


# The project's own code, the same for both: a small layer on top. Built anew each time: uv would take a wheel from its
# cache as long as pyproject.toml stays as it is.
FROM manager-python AS project
COPY air_executor air_executor
COPY engine_proxy engine_proxy
COPY manager manager
RUN --mount=type=cache,target=/root/.cache/uv uv sync --extra manager --no-editable \
        --reinstall-package air-executor \
    && cd /opt/air-executor \
    && mkdir /project \
    && cp -a --parents bin/air-executor lib/python3*/site-packages/air_executor* \
        lib/python3*/site-packages/engine_proxy lib/python3*/site-packages/manager \
        /project


FROM python AS manager
COPY --from=manager-python /opt/air-executor /opt/air-executor
COPY --from=project /project /opt/air-executor
COPY --chmod=755 compose/manager/entrypoint compose/manager/healthy compose/manager/prepare-home /usr/local/bin/
ENV PATH=/opt/air-executor/bin:$PATH
ENTRYPOINT ["entrypoint"]
CMD ["air-executor", "manager"]


FROM python AS airflow
COPY --from=airflow-python /opt/air-executor /opt/air-executor
COPY --from=project /project /opt/air-executor
COPY --chmod=755 compose/airflow/entrypoint compose/airflow/healthy /usr/local/bin/
COPY compose/airflow/supervise.py compose/airflow/warm_up.py /usr/local/lib/air-executor/
ENV PATH=/opt/air-executor/bin:$PATH \
    AIRFLOW_HOME=/var/lib/airflow
ENTRYPOINT ["entrypoint"]
CMD ["python3", "/usr/local/lib/air-executor/supervise.py"]


FROM ${BASE_IMAGE} AS postgres
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-17 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/log/*.log /var/log/apt \
        /var/lib/postgresql/17 /etc/postgresql \
    # A named volume takes over the owner of the folder that it is first mounted on.
    && install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/cluster \
    && install -d -o postgres -g postgres -m 0755 /run/postgresql
COPY --chmod=755 compose/postgres/entrypoint /usr/local/bin/entrypoint
USER postgres
ENV PATH=/usr/lib/postgresql/17/bin:$PATH
ENTRYPOINT ["entrypoint"]
