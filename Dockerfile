# One image for every service of docker-compose.yml and of deploy/kubernetes/values.yaml.
#
#   docker build --tag oneledger:latest .
#   docker build --secret id=pip,src=pip.conf --tag oneledger:latest .   # where packages come from a registry of one's own
#
# The packages are those of requirements.lock and no others, each checked against its hash.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS packages
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.lock /tmp/requirements.lock
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    pip install --require-hashes --no-deps --progress-bar off -r /tmp/requirements.lock

FROM ${PYTHON_IMAGE}
# Files that the image's user makes belong to this id on network file systems too.
ARG USER_ID=10001
RUN useradd --uid ${USER_ID} --create-home --shell /usr/sbin/nologin oneledger \
    && install --directory --owner=oneledger --group=oneledger --mode=0750 \
       /opt/airflow /opt/airflow/logs /var/lib/oneledger /var/lib/oneledger/warehouse
COPY --from=packages /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/opt/airflow \
    ONELEDGER_HOME=/var/lib/oneledger \
    ONELEDGER_PROJECT_ROOT=/opt/oneledger
WORKDIR /opt/oneledger
COPY pyproject.toml README.md requirements.lock ./
COPY config config
COPY dags dags
COPY dbt_project dbt_project
COPY docs/runbooks docs/runbooks
COPY expectations expectations
COPY plugins plugins
COPY deploy/entrypoint.sh deploy/entrypoint.sh
RUN pip install --quiet --no-build-isolation --no-deps --no-index --editable . \
    && python -m compileall -q plugins
USER oneledger
ENTRYPOINT ["/opt/oneledger/deploy/entrypoint.sh"]
CMD ["oneledger", "--help"]
